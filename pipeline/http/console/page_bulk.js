/* One request on many cards: of a pool, an ICCID range, or a list; what was asked of this tab before. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import {ask} from "./dialog.js";

export const title = () => "Bulk";
export const head = () => ({title: "Bulk requests", sub: "One operation on many cards, with a result for each"});

const KEPT = "weir.bulk"; // ids of this tab's bulk requests, newest first

const TARGETS = [
	["pool", "A pool", "all its members"],
	["range", "An ICCID range", "every card from one to another"],
	["list", "A list", "pasted, or from a file"],
];
const ACTIONS = ["suspend", "resume", "limit", "addon", "reset", "activate", "rebind", "renew", "deactivate", "cancel"];
const DANGEROUS = ["suspend", "deactivate", "cancel"];

export const kept = () => {
	try {
		return JSON.parse(sessionStorage.getItem(KEPT)) || [];
	} catch {
		return [];
	}
};
const keep = (job) => sessionStorage.setItem(KEPT, JSON.stringify([job, ...kept()].slice(0, 20)));

const iccids = (text) => [...new Set(text.toUpperCase().split(/[\s,;"]+/).filter(Boolean))];
const isIccid = (text) => /^[0-9A-Z]{19,20}$/.test(text);

function target(ui) {
	if (ui.target === "pool") return ui.pool.trim() ? {body: {pool: ui.pool.trim()}, text: "all members of the pool " + ui.pool.trim()} : null;
	if (ui.target === "range") {
		const from = ui.from.trim().toUpperCase(), to = ui.to.trim().toUpperCase();
		return isIccid(from) && isIccid(to) && from <= to ? {body: {iccid_from: from, iccid_to: to}, text: "every card from " + from + " to " + to} : null;
	}
	const list = iccids(ui.list);
	return list.length && list.every(isIccid) ? {body: {iccids: list}, text: f.count(list.length) + (list.length === 1 ? " card" : " cards") + " of a list"} : null;
}

function operation(ui) {
	if (ui.action === "limit") return ui.none ? {action: "limit", limit: null} : f.parseAmount(ui.amount) > 0 ? {action: "limit", limit: f.parseAmount(ui.amount)} : null;
	if (ui.action === "addon") return f.parseAmount(ui.amount) > 0 ? {action: "addon", bytes: f.parseAmount(ui.amount)} : null;
	return ui.action ? {action: ui.action} : null;
}

const START = {target: "pool", action: "", pool: "", from: "", to: "", list: "", amount: "", none: false};

function targetFields(ui, set) {
	const on = (name) => (e) => set({[name]: e.target.value});
	if (ui.target === "pool") return p.input("Pool", "pool", {value: ui.pool, oninput: on("pool")}, "Its id");
	if (ui.target === "range") {
		return h("div", {class: "filters"}, ["from", "to"].map((name) => p.input("ICCID " + name, name, {class: "mono", value: ui[name], maxlength: 20, oninput: on(name)}, null,
			ui[name].trim() && !isIccid(ui[name].trim().toUpperCase()) ? "Must be 19 or 20 letters and digits." : null)));
	}
	const list = iccids(ui.list);
	const wrong = list.filter((x) => !isIccid(x));
	const read = async (e) => {
		const file = e.target.files[0];
		if (file) set({list: await file.text()});
	};
	return [
		p.input("ICCIDs", "list", {rows: 6, class: "mono", value: ui.list, oninput: on("list")}, "Separated by lines, spaces or commas. " + f.count(list.length - wrong.length) + " found.",
			wrong.length ? f.count(wrong.length) + " are no ICCIDs, the first: " + wrong[0].slice(0, 24) : null),
		p.input("Or from a file", "file", {type: "file", accept: ".csv,.txt,text/plain,text/csv", onchange: read}),
	];
}

function operationFields(ui, set) {
	const wrong = ui.amount && f.parseAmount(ui.amount) === null ? "Must be a number with a unit, such as 500 MB." : null;
	const field = (label) => p.input(label, "amount", {value: ui.amount, placeholder: "for example 10 GB", oninput: (e) => set({amount: e.target.value})}, "1 MB = " + f.count(f.MB_BINARY) + " bytes here, whatever the carrier", wrong);
	if (ui.action === "addon") return field("Volume for each card");
	if (ui.action === "limit") return [!ui.none && field("New limit of each card"), h("label", {class: "check"}, h("input", {type: "checkbox", checked: ui.none, onchange: (e) => set({none: e.target.checked})}), "No limit of their own")];
	return null;
}

async function submit(event, ui) {
	event.preventDefault();
	const to = target(ui), request = operation(ui);
	if (!to || !request) return;
	const name = words.action(ui.action);
	const job = await ask({
		title: name + " " + to.text + "?", confirm: name, danger: DANGEROUS.includes(ui.action),
		body: () => h("p", null, "The request goes out card by card at the configured rate. Its progress and a result for each card are shown on the next page; what has gone out cannot be taken back."),
		run: () => api.send("POST", api.path(["bulk"]), {target: to.body, ...request}),
	});
	if (!job) return;
	keep({id: job.id, action: ui.action, text: to.text, at: new Date().toISOString()});
	location.hash = "/bulk/" + encodeURIComponent(job.id);
}

export function view(ctx) {
	if (!ctx.operator) return h("div", {class: "stack"}, p.callout("warn", "Your token may read only. Bulk requests need the role operate."), before());
	const ui = {...START, ...ctx.ui};
	const option = ([code, name, help]) => h("label", {key: code}, h("input", {type: "radio", name: "target", value: code, checked: ui.target === code, onchange: () => ctx.set({target: code})}), h("span", null, name, h("small", null, help)));
	return h("div", {class: "grid"},
		h("div", {class: "w7", key: "new"}, h("form", {class: "panel form bulk-form", onsubmit: (e) => submit(e, ui), novalidate: true, "aria-label": "New bulk request"},
			h("h2", null, "New request"),
			h("fieldset", {class: "field"}, h("legend", null, "On which cards"), h("div", {class: "choice"}, TARGETS.map(option))),
			h("div", {class: "form", key: "target-" + ui.target}, targetFields(ui, ctx.set)),
			p.select("Operation", "action", [["", "Choose…"], ...ACTIONS.map((code) => [code, words.action(code)])], ui.action, (e) => ctx.set({action: e.target.value})),
			h("div", {class: "form", key: "operation-" + ui.action}, operationFields(ui, ctx.set)),
			h("div", {class: "row"}, h("button", {class: "primary", disabled: !target(ui) || !operation(ui)}, "Review…")))),
		h("div", {class: "w5", key: "before"}, before()));
}

function before() {
	const jobs = kept();
	if (!jobs.length) return null;
	const columns = [{name: "Request", lead: true, cell: (j) => h("a", {href: "#/bulk/" + encodeURIComponent(j.id)}, words.action(j.action) + " " + j.text)}, {name: "Asked", cell: (j) => p.time(j.at)}];
	return p.panel("Asked from this tab", {}, p.table("Bulk requests of this tab", columns, jobs, {key: (j) => j.id}));
}
