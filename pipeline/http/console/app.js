/*
 * The console's frame: addresses, sign-in, refreshing. One page is shown at a time; its module says what to load and what is
 * then to be seen. Addresses lie behind the # so that the server has one page to serve.
 *
 * A page gets ctx = {args, query, data, ui, operator, set, reload, go}: `data` is what its load() gave last (null before the
 * first), `ui` its own small state. A load that fails leaves what was shown and says so.
 */
import {h, draw} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import {callout, empty, icon} from "./parts.js";
import {dialogIsOpen} from "./dialog.js";
import {signIn} from "./page_signin.js";
import * as fleet from "./page_fleet.js";
import * as pools from "./page_pools.js";
import * as pool from "./page_pool.js";
import * as cards from "./page_cards.js";
import * as card from "./page_card.js";
import * as bulk from "./page_bulk.js";
import * as job from "./page_bulk_job.js";

const AUTO_MS = 10000;
const ROUTES = [
	[/^\/$/, fleet], [/^\/pools$/, pools], [/^\/pools\/([^/]+)$/, pool], [/^\/cards$/, cards], [/^\/cards\/([^/]+)$/, card],
	[/^\/bulk$/, bulk], [/^\/bulk\/([^/]+)$/, job],
];
const NAV = [["#/", "Fleet", [fleet]], ["#/pools", "Pools", [pools, pool]], ["#/cards", "Cards", [cards, card]], ["#/bulk", "Bulk", [bulk, job]]];

const root = document.getElementById("app");
const app = {me: null, signing: null, page: null, auto: sessionStorage.getItem("weir.auto") !== "off", find: "", findWrong: null};
let current = null; // what is shown: {page, args, query, data, error, ui, at, loading, abort}

/* ---- addresses ---- */

function parse() {
	const [path, query] = (location.hash.slice(1) || "/").split("?");
	for (const [pattern, page] of ROUTES) {
		const match = pattern.exec(path);
		if (match) return {page, args: match.slice(1).map(decode), query: new URLSearchParams(query || ""), path};
	}
	return {page: null, args: [], query: new URLSearchParams(), path};
}

function decode(text) {
	try {
		return decodeURIComponent(text);
	} catch {
		return text;
	}
}

function open() {
	current?.abort?.abort();
	current = {...parse(), data: null, error: null, ui: {}, at: null, loading: false, abort: null};
	redraw();
	window.scrollTo(0, 0);
	if (app.me) {
		document.querySelector("h1")?.focus({preventScroll: true});
		load();
	}
}

/* ---- loading ---- */

async function load() {
	const shown = current;
	if (!shown.page?.load || app.signing) return;
	shown.abort?.abort();
	const abort = (shown.abort = new AbortController());
	shown.loading = true;
	shown.tried = Date.now();
	redraw();
	try {
		const data = await shown.page.load(context(shown), abort.signal);
		if (abort.signal.aborted) return;
		Object.assign(shown, {data, error: null, at: new Date().toISOString()});
	} catch (error) {
		if (abort.signal.aborted) return;
		shown.error = error;
	}
	shown.loading = false;
	if (shown === current) redraw();
}

const context = (shown) => ({
	args: shown.args, query: shown.query, data: shown.data, ui: shown.ui, operator: app.me?.role === "operate", reload: () => shown === current && load(),
	set: (change) => {
		shown.ui = {...shown.ui, ...change};
		if (shown === current) redraw();
	},
	go: (query) => (location.hash = shown.path + (Object.keys(query).length ? "?" + new URLSearchParams(query) : "")),
});

/* Looks every second whether the page is due; never while something is typed, a dialog is open or the tab is hidden. */
setInterval(() => {
	const {page, loading, error} = current;
	if (!app.auto || !app.me || !page?.load || loading || document.hidden || dialogIsOpen()) return;
	if (document.activeElement?.closest("form.filter-panel, form.bulk-form")) return;
	const pace = (!error && page.pace?.(context(current))) || AUTO_MS;
	if (Date.now() - (current.tried || 0) >= pace) load();
}, 1000);

/* ---- sign-in ---- */

api.onUnauthorised((problem) => {
	const before = app.me;
	app.me = null;
	api.token.drop();
	if (!app.signing) app.signing = {draft: "", busy: false, problem: problem && (before ? "The token is no longer accepted." : "This token is not known.")};
	redraw();
});

/* Who one is and what the page shows are asked for at once. */
async function enter() {
	load();
	try {
		app.me = await api.get(api.path(["me"]));
		app.broken = null;
		redraw();
	} catch (error) {
		if (error.status !== 401) app.broken = error;
		redraw();
	}
}

async function submitToken(token) {
	app.signing = {...app.signing, busy: true, problem: null};
	redraw();
	api.token.set(token);
	try {
		app.me = await api.get(api.path(["me"]));
		app.signing = null;
		redraw();
		document.querySelector("h1")?.focus();
		load();
	} catch (error) {
		api.token.drop();
		app.signing = {...app.signing, draft: token, busy: false, problem: error.status === 401 ? "This token is not known." : error.message};
		redraw();
		document.querySelector("#f-token")?.focus();
	}
}

function signOut() {
	api.token.drop();
	location.reload();
}

/* ---- the frame ---- */

function find(event) {
	event.preventDefault();
	const text = app.find.trim();
	if (!text) return;
	app.find = "";
	if (/^[0-9A-Za-z]{19,20}$/.test(text)) location.hash = "/cards/" + text.toUpperCase();
	else if (/^\d{4,18}$/.test(text)) location.hash = "/cards?" + new URLSearchParams({iccid_from: text.padEnd(20, "0"), iccid_to: text.padEnd(20, "Z")});
	else location.hash = "/pools?" + new URLSearchParams({q: text});
	redraw();
}

function top() {
	return h("header", {class: "top"}, h("div", {class: "top-row"},
		h("a", {class: "brand", href: "#/", "aria-label": "weir, fleet"}, h("img", {src: "icon.svg", alt: "", width: 24, height: 24}), h("span", null, "weir")),
		h("nav", {class: "nav", "aria-label": "Pages"}, NAV.map(([href, name, pages]) =>
			h("a", {href, "aria-current": pages.includes(current.page) ? (pages[0] === current.page ? "page" : "true") : null}, name))),
		h("form", {class: "find", role: "search", "aria-label": "Card or pool", onsubmit: find},
			icon("search"), h("label", {class: "visually-hidden", for: "find"}, "ICCID, or a pool's id or name"),
			h("input", {id: "find", type: "search", placeholder: "ICCID or pool", autocomplete: "off", spellcheck: "false", value: app.find, oninput: (e) => (app.find = e.target.value)})),
		h("div", {class: "who"},
			h("span", {class: "who-name", title: app.me.name + ", " + roleWords()}, app.me.name, h("span", {class: "muted small block"}, roleWords())),
			api.token.get() && h("button", {type: "button", class: "quiet icon", onclick: signOut, "aria-label": "Sign out", title: "Sign out"}, icon("out")))));
}

const roleWords = () => (app.me.role === "operate" ? "operator" : "read only");

function fresh() {
	const {at, error, loading} = current;
	return h("div", {class: "fresh"},
		h("span", {class: "when " + (error && at ? "bad" : "")}, at ? (error ? "Not updated since " : "Updated ") + f.dateTimeSeconds(at).slice(-8) : loading ? "Loading…" : ""),
		h("label", null, h("input", {type: "checkbox", checked: app.auto, onchange: setAuto}), "Auto"),
		h("button", {type: "button", class: "icon" + (loading ? " spin" : ""), onclick: load, "aria-label": "Refresh", title: "Refresh"}, icon("refresh")));
}

function setAuto(event) {
	app.auto = event.target.checked;
	sessionStorage.setItem("weir.auto", app.auto ? "on" : "off");
}

function pageHead(ctx) {
	const head = current.page.head(ctx);
	const actions = [head.actions].flat(2).filter(Boolean);
	return h("div", {class: "page-head " + (head.class || "")},
		h("div", {class: "page-title"},
			head.crumb && h("nav", {class: "crumb", "aria-label": "Above this page"}, head.crumb),
			h("div", {class: "line"}, h("h1", {tabindex: -1}, head.title), head.badges),
			h("div", {class: "sub"}, head.sub || " ")),
		current.page.load && fresh(),
		(actions.length > 0 || (head.reserve && app.me.role === "operate")) && h("div", {class: "page-actions", role: "group", "aria-label": "Operations"}, actions));
}

function pageBody(ctx) {
	const {page, error, data} = current;
	if (!data && error) {
		if (error.status === 404) return h("div", {class: "panel"}, empty("Not found", error.message, h("a", {class: "button", href: "#/"}, "To the fleet")));
		return h("div", {class: "stack"}, callout("bad", h("strong", null, "This page could not be loaded. "), error.message), h("div", null, h("button", {type: "button", onclick: load}, "Try again")));
	}
	return [error && h("div", {class: "stale", key: "stale"}, callout("bad", h("strong", null, "Not refreshed. "), error.message, " What is shown is of " + f.dateTimeSeconds(current.at).slice(-8) + ".")),
		page.view(ctx)];
}

function shell() {
	const ctx = context(current);
	const page = current.page;
	return [
		h("a", {class: "skip", href: "#main", onclick: (e) => {
			e.preventDefault();
			document.getElementById("main").focus();
		}}, "Skip to the content"),
		top(),
		h("main", {class: "main", id: "main", tabindex: -1, key: location.hash.split("?")[0]},
			page ? [pageHead(ctx), h("div", {class: "page-body", key: current.data ? "body" : "waiting"}, pageBody(ctx))]
				: h("div", {class: "panel"}, h("h1", {tabindex: -1, class: "visually-hidden"}, "No such page"), empty("No such page", "The address leads nowhere.", h("a", {class: "button", href: "#/"}, "To the fleet")))),
		h("footer", {class: "foot"}, h("span", null, "Times in " + f.VIEWER_ZONE + " (" + f.zoneOffset(f.VIEWER_ZONE) + ")"), h("span", null, "weir " + (app.me.version || "")), h("a", {href: "v1/openapi"}, "API description")),
	];
}

function redraw() {
	if (app.signing) {
		document.title = "Sign in – weir";
		draw(root, signIn({...app.signing, onDraft: (draft) => {
			app.signing = {...app.signing, draft};
			redraw();
		}, onSubmit: submitToken}));
		return;
	}
	if (!app.me) {
		draw(root, app.broken ? h("main", {class: "sign-in", id: "main"}, h("div", {class: "panel"}, h("h1", {tabindex: -1}, "weir"), callout("bad", app.broken.message), h("button", {type: "button", class: "primary", onclick: enter}, "Try again"))) : null);
		return;
	}
	document.title = (current.page ? current.page.title(context(current)) : "No such page") + " – weir";
	draw(root, shell());
}

window.addEventListener("hashchange", open);
open();
enter();
