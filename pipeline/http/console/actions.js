/*
 * What operators ask for: a dialog that says what will happen, the request, and what became of it.
 *
 * A request is taken by the API (202) and carried out by weir a moment later; then its page is asked for again, so that what
 * is shown is what is stored and never what was hoped for.
 */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import {ask, say} from "./dialog.js";
import {callout, input} from "./parts.js";

const SETTLE_MS = [300, 700, 1500, 3000, 5000];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* ---- fields of dialogs ---- */

const amountField = (label, mb, help) => (state, update) => input(label, "amount", {
	value: state.amount, inputmode: "text", placeholder: "for example 10 GB", required: true, autofocus: true,
	oninput: (e) => update({amount: e.target.value}),
}, help || "KB, MB, GB or TB; 1 MB = " + f.count(mb || f.MB_BINARY) + " bytes",
state.amount && f.parseAmount(state.amount, mb) === null ? "Must be a number with a unit, such as 500 MB." : null);

const check = (name, label) => (state, update) => h("label", {class: "check"},
	h("input", {type: "checkbox", name, checked: state[name], onchange: (e) => update({[name]: e.target.checked})}), label);

const list = (codes) => codes.map((c) => words.reason(c).name.toLowerCase()).join(", ");

/* ---- what each action says and sends ---- */

function resumeWords(card) {
	const clears = card.reasons.filter((r) => words.RESUMABLE.includes(r));
	const stays = card.reasons.filter((r) => !words.RESUMABLE.includes(r));
	return [
		h("p", null, clears.length ? "Clears: " + list(clears) + "." : "No reason of this card can be cleared by a resume.",
			clears.includes("usage_limit") && " The usage limit then stays lifted until the cycle ends or the limit is changed."),
		stays.length > 0 && callout("warn", "Stays cut off: " + list(stays) + "."),
	];
}

const CARD = {
	suspend: {title: "Suspend this card?", danger: true, words: () => h("p", null, "Its traffic is cut off at the carrier as soon as the carrier confirms. Resume brings it back.")},
	resume: {title: "Resume this card?", words: resumeWords},
	limit: {
		title: "Change the usage limit", confirm: "Change limit",
		state: (card) => ({amount: card.limit_own && card.limit_bytes !== null ? f.amount(card.limit_bytes, card.mb_bytes) : "", none: false, auto_restore: card.auto_restore !== false}),
		words: (card) => h("p", null, "Used in this cycle: " + f.amount(card.metered_bytes ?? card.used_bytes, card.mb_bytes) + ". A limit below that suspends at once; one above it resumes at once."),
		fields: (card) => [(s, u) => !s.none && amountField("New limit", card.mb_bytes)(s, u), check("none", "No limit of its own"), check("auto_restore", "Resume by itself when the next cycle begins")],
		ready: (s, card) => s.none || f.parseAmount(s.amount, card.mb_bytes) > 0,
		body: (s, card) => ({limit: s.none ? null : f.parseAmount(s.amount, card.mb_bytes), auto_restore: s.auto_restore}),
	},
	addon: {
		title: "Add volume for this cycle", confirm: "Add", state: () => ({amount: ""}),
		words: () => h("p", null, "Takes effect at once and ends with the current cycle."),
		fields: (card) => [amountField("Volume", card.mb_bytes)],
		ready: (s, card) => f.parseAmount(s.amount, card.mb_bytes) > 0,
		body: (s, card) => ({bytes: f.parseAmount(s.amount, card.mb_bytes)}),
	},
	reset: {title: "Reset the network connection?", confirm: "Reset", words: () => h("p", null, "The card is suspended for 15 minutes and then resumed, unless another reason holds by then.")},
	activate: {title: "Activate this card?", words: () => h("p", null, "Its term begins now, as with its first traffic. An accumulative pool grows by its allowance.")},
	rebind: {title: "Bind to the newest device?", confirm: "Rebind", words: () => h("p", null, "Takes the IMEI of the newest record and clears “device changed”. Some carriers allow a few rebinds a month only.")},
	renew: {title: "Renew the plan?", confirm: "Renew", words: () => h("p", null, "Adds the plan's term to the later of now and its expiry, and clears “plan expired”.")},
	deactivate: {title: "Deactivate this card?", danger: true, words: () => h("p", null, "It leaves its pool's effective cards. After three months it is cancelled by itself.")},
	cancel: {title: "Cancel this card for good?", confirm: "Cancel the card", danger: true, words: () => h("p", null, "Final: a cancelled card never comes back. Only cards that are deactivated or suspended by hand can be cancelled.")},
};

const POOL = {
	addon: {...CARD.addon, title: "Add volume to this pool", words: () => h("p", null, "Raises the pool's total at once, for the current cycle. Members that it had cut off resume.")},
	freeze: {title: "Freeze this pool?", danger: true, words: (pool) => h("p", null, "The account is in arrears: all " + f.count(pool.effective_cards) + " effective cards are suspended until it is paid.")},
	paid: {title: "Mark the account as paid?", confirm: "Mark as paid", words: () => h("p", null, "Clears “pool frozen”; members without another reason resume.")},
	enable: {title: "Enable this pool again?", words: () => h("p", null, "Brings a disabled metered pool and its cards back, within a month of its disabling.")},
};

/* ---- sending, and what became of it ---- */

/* Asks until weir has come to the request; null when it has not within ten seconds or so. */
async function outcome(kind, id, request) {
	for (const wait of SETTLE_MS) {
		await sleep(wait);
		const state = await api.getOrNull(api.path([kind, id, "requests", request]));
		if (state && state.state !== "pending") return state;
	}
	return null;
}

/* The request's end in words, and whether it is bad news. */
function outcomeWords(state) {
	if (!state) return ["requested; weir has not come to it yet.", false];
	if (state.state === "not_applied") return ["refused: " + (state.reply || "it was gone by then") + ".", true];
	if (state.state === "unknown") return ["done; its record is no longer kept.", false];
	const stays = state.action === "resume" && state.reasons?.length ? " Still cut off: " + list(state.reasons) + "." : "";
	return ["done" + (state.reply && state.reply !== "done" ? ": " + state.reply : "") + "." + stays, false];
}

/* Shows how the request goes on, then has the page loaded again. */
async function follow(kind, id, name, answer, reload) {
	const replace = say(name + ": requested.");
	try {
		const [text, bad] = outcomeWords(await outcome(kind, id, answer.id));
		replace(name + ": " + text, bad);
	} catch {
		// what became of it cannot be asked now; the page shows it when it can
	}
	reload();
}

async function act(kind, thing, id, code, spec, reload) {
	const name = words.action(code);
	const answer = await ask({
		title: spec.title, danger: spec.danger, confirm: spec.confirm || name,
		state: spec.state ? spec.state(thing) : {},
		ready: spec.ready && ((s) => spec.ready(s, thing)),
		body: (state, update) => [
			h("p", null, h("code", null, id), thing.name && thing.name !== id && " " + thing.name),
			spec.words?.(thing), (spec.fields?.(thing) || []).map((field) => field(state, update))],
		run: (state) => api.send("POST", api.path([kind, id, "requests"]), {action: code, ...(spec.body ? spec.body(state, thing) : {})}),
	});
	if (answer !== undefined) follow(kind, id, name, answer, reload);
}

export const cardAction = (card, code, reload) => act("cards", card, card.iccid, code, CARD[code], reload);
export const poolAction = (pool, code, reload) => act("pools", pool, pool.id, code, POOL[code], reload);

/* ---- tags and remark ---- */

export const TAGS_MAX = 3;
const bytesOf = (text) => new TextEncoder().encode(text).length;

export async function editTags(card, reload) {
	const fields = Array.from({length: TAGS_MAX}, (_, i) => (state, update) => input("Tag " + (i + 1), "tag" + i, {
		value: state.tags[i], maxlength: 32, autofocus: i === 0, oninput: (e) => update({tags: state.tags.map((t, j) => (j === i ? e.target.value : t))}),
	}, null, bytesOf(state.tags[i]) > 32 ? "At most 32 bytes." : null));
	const done = await ask({
		title: "Tags", confirm: "Save", state: {tags: [...(card.tags || []), "", "", ""].slice(0, TAGS_MAX)},
		ready: (s) => s.tags.every((t) => bytesOf(t) <= 32),
		body: (s, u) => [h("p", {class: "muted"}, "Up to three words for people and for the search."), fields.map((field) => field(s, u))],
		run: (s) => api.send("PUT", api.path(["cards", card.iccid, "tags"]), {tags: [...new Set(s.tags.map((t) => t.trim()).filter(Boolean))]}),
	});
	if (done) follow("cards", card.iccid, "Tags", done, reload);
}

export async function editRemark(card, reload) {
	const done = await ask({
		title: "Remark", confirm: "Save", state: {remark: card.remark || ""},
		ready: (s) => bytesOf(s.remark) <= 255,
		body: (s, u) => input("Remark", "remark", {rows: 3, value: s.remark, autofocus: true, oninput: (e) => u({remark: e.target.value})},
			"For people; up to 255 bytes.", bytesOf(s.remark) > 255 ? "At most 255 bytes." : null),
		run: (s) => api.send("PUT", api.path(["cards", card.iccid, "remark"]), {remark: s.remark.trim() || null}),
	});
	if (done) follow("cards", card.iccid, "Remark", done, reload);
}
