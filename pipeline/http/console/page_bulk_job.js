/* Progress of a bulk request, and what became of it card by card. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import * as lists from "./lists.js";

export const title = () => "Bulk request";

const LIMIT = 50;

/* [name, tone] of the whole and of a card's result. */
const STATES = {collecting: ["Collecting cards", "info"], sending: ["Sending", "info"], waiting: ["Waiting for results", "info"], done: ["Finished", "ok"], failed: ["Failed", "bad"]};
const RESULTS = {waiting: ["Not sent yet", "off"], pending: ["Sent", "info"], applied: ["Done", "ok"], not_applied: ["Refused", "bad"], unknown_card: ["No such card", "warn"], unknown: ["Done, no longer recorded", "off"]};
const named = (table, code) => table[code] || [words.readable(code), "off"];

export async function load(ctx, signal) {
	const {stack = [], counts = []} = ctx.ui;
	const job = await api.get(api.path(["bulk", ctx.args[0]], {cursor: stack[stack.length - 1], limit: LIMIT}), signal);
	return {job, list: {rows: job.cards, next: job.next, depth: stack.length, from: counts.slice(0, stack.length).reduce((a, b) => a + b, 0)}};
}

const ended = (job) => ["done", "failed"].includes(job.state);

/* Asked for more often while it is under way. */
export const pace = (ctx) => (ctx.data && !ended(ctx.data.job) ? 2000 : null);

function targetWords(job) {
	try {
		const t = job.target;
		return t.pool ? ["members of the pool ", p.poolLink(t.pool)] : t.iccid_from ? "cards from " + t.iccid_from + " to " + t.iccid_to : "a list of " + f.count(t.listed) + " cards";
	} catch {
		return "cards";
	}
}

export function head(ctx) {
	const job = ctx.data?.job;
	return {
		crumb: h("a", {href: "#/bulk"}, "Bulk requests"), title: job ? words.action(job.action) + " in bulk" : "Bulk request",
		badges: job && p.badge(...named(STATES, job.state)),
		sub: job && [h("span", null, "On ", targetWords(job)), h("span", null, "by " + job.by), h("span", null, "asked ", p.time(job.at, f.dateTimeSeconds))],
	};
}

function progress(job) {
	const part = (n) => (job.total ? (n / job.total) * 100 : 0) + "%";
	const done = ended(job) ? 100 : job.total ? f.percent(job.taken, job.total) : 0;
	const under = Math.max(0, job.sent - job.taken);
	return p.panel("Progress", {extra: h("strong", null, done + " %")},
		h("div", {class: "progress", role: "progressbar", "aria-label": "Progress", "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": done},
			h("span", {class: "tone-ok", style: {"--part": part(Math.max(0, job.taken - job.skipped))}}), h("span", {class: "tone-warn", style: {"--part": part(job.skipped)}}), h("span", {class: "tone-dim", style: {"--part": part(under)}})),
		h("div", {class: "counts"},
			h("span", null, h("strong", null, f.count(job.total)), job.state === "collecting" ? " cards found so far" : " cards"), h("span", null, h("strong", null, f.count(job.sent)), " gone through"),
			h("span", null, h("strong", null, f.count(job.taken)), " carried out or refused"), job.skipped > 0 && h("span", {class: "warn"}, h("strong", null, f.count(job.skipped)), " unknown")),
		job.why && p.callout("bad", job.why));
}

const COLUMNS = [
	{name: "Card", lead: true, cell: (c) => p.cardLink(c.iccid)},
	{name: "Result", aside: true, cell: (c) => p.badge(...named(RESULTS, c.state))},
	{name: "Answer", cell: (c) => c.reply},
];

export function view(ctx) {
	const job = ctx.data?.job;
	return h("div", {class: "stack"},
		job ? progress(job) : p.panel("Progress", {}, p.bone("100%", 14), h("div", {class: "counts"}, " ")),
		p.panel("Results", {note: "card by card"},
			h("div", {class: "members"}, !job ? p.bones(8, 28) : job.cards.length ? p.table("Results by card", COLUMNS, job.cards, {key: (c) => c.iccid})
				: p.empty(job.state === "collecting" ? "Collecting the cards" : "No cards", job.state === "collecting" ? "Results follow as soon as they are known." : "No card matches.")),
			job && lists.pager(ctx.data.list, ctx.ui, ctx.set, ctx.reload, "Cards")));
}
