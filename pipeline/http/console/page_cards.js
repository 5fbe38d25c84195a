/* Search of cards: by ICCID, reason, status, carrier, plan, pool, tag; export of what is found. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import * as lists from "./lists.js";
import {filterForm} from "./page_pools.js";
import {ask, say} from "./dialog.js";

export const title = () => "Cards";

const FILTERS = ["status", "reason", "carrier", "plan", "pool", "tag", "iccid_from", "iccid_to"];
const params = (ctx) => Object.fromEntries(FILTERS.map((name) => [name, ctx.query.get(name)]));

export async function load(ctx, signal) {
	return {list: await lists.page(["cards"], "cards", params(ctx), ctx.ui, signal)};
}

export function head(ctx) {
	return {title: "Cards", sub: "Search by what holds now", actions: h("button", {type: "button", onclick: () => exportCards(params(ctx))}, p.icon("down"), "Export CSV…")};
}

/* ---- export ---- */

const USAGE = [["none", "No usage by time", "one row a card, this cycle"], ["day", "Days", "usage of each day of a range"], ["cycle", "Cycles", "usage of each month of a range"]];

function exportForm(filter) {
	return (state, update) => [
		h("p", null, Object.values(filter).some(Boolean) ? "Every card that matches the filter." : "Every card of the fleet; this may be a large file."),
		h("fieldset", null, h("legend", {class: "visually-hidden"}, "Usage"), h("div", {class: "choice one"}, USAGE.map(([code, name, help]) =>
			h("label", {key: code}, h("input", {type: "radio", name: "usage", value: code, checked: state.usage === code, onchange: () => update({usage: code})}), h("span", null, name, h("small", null, help)))))),
		state.usage !== "none" && h("div", {class: "filters"},
			p.input("From", "from", {type: "date", value: state.from, oninput: (e) => update({from: e.target.value})}),
			p.input("To (included)", "to", {type: "date", value: state.to, oninput: (e) => update({to: e.target.value})})),
		p.input("File name", "name", {value: state.name, oninput: (e) => update({name: e.target.value})}),
	];
}

function exportParams(filter, state) {
	if (state.usage === "none") return {...filter, name: state.name};
	const length = state.usage === "day" ? 10 : 7; // 2026-11-21 or 2026-11, both ends included
	return {...filter, name: state.name, usage: state.usage, from: state.from.slice(0, length), to: state.to.slice(0, length)};
}

async function exportCards(filter) {
	const day = (ago) => new Date(Date.now() - ago * 86400000).toISOString().slice(0, 10);
	await ask({
		title: "Export cards", confirm: "Export", state: {usage: "none", from: day(6), to: day(0), name: "cards-" + day(0) + ".csv"},
		ready: (s) => s.name.trim() !== "" && (s.usage === "none" || (s.from && s.to && s.from <= s.to)),
		body: exportForm(filter),
		run: async (s) => {
			const data = await api.blob(api.path(["export", "cards.csv"], exportParams(filter, s)));
			save(data, s.name);
			say("Exported " + s.name + ": " + f.amount(data.size) + ".");
			return true;
		},
	});
}

function save(data, name) {
	const url = URL.createObjectURL(data);
	const link = document.createElement("a");
	link.href = url;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/* ---- list ---- */

const bound = (c) => (c.total_bytes === null ? c.limit_bytes : c.limit_bytes === null ? c.total_bytes : Math.min(c.total_bytes, c.limit_bytes));

export const COLUMNS = [
	{name: "Card", lead: true, cell: (c) => [p.cardLink(c.iccid), c.tags?.length > 0 && h("span", {class: "sub"}, c.tags.join(", "))]},
	{name: "Status", aside: true, cell: (c) => p.statusBadge(c.status)},
	{name: "Reasons", wide: true, cell: (c) => (c.reasons.length ? p.reasonBadges(c.reasons, c.not_enforced) : null)},
	{name: "Carrier", cell: (c) => h("span", {class: "nowrap"}, words.carrier(c.carrier), c.plan && h("span", {class: "sub"}, c.plan))},
	{name: "Pool", cell: (c) => (c.pool ? h("span", {class: "nowrap"}, p.poolLink(c.pool)) : null)},
	{name: "Usage", wide: true, cell: (c) => p.usageCell(c.used_bytes, bound(c), c.mb_bytes, "Usage of " + c.iccid)},
	{name: "Last record", cell: (c) => p.time(c.last_record)},
];

const any = (codes, name) => [["", "Any"], ...codes.map((code) => [code, name(code).name])];

export function view(ctx) {
	const list = ctx.data?.list;
	const q = (name) => ctx.query.get(name) || "";
	const iccid = (label, name) => p.input(label, name, {value: q(name), class: "mono", maxlength: 20, placeholder: "19 or 20 characters"});
	return h("div", {class: "stack"},
		filterForm(ctx, [
			p.select("Status", "status", any(words.CARD_STATUSES, words.status), q("status")),
			p.select("Reason", "reason", any(words.REASON_CODES, words.reason), q("reason")),
			p.input("Carrier", "carrier", {value: q("carrier"), placeholder: "cm, cu, ct …"}),
			p.input("Plan", "plan", {value: q("plan")}), p.input("Pool", "pool", {value: q("pool")}), p.input("Tag", "tag", {value: q("tag")}),
			iccid("ICCID from", "iccid_from"), iccid("ICCID to", "iccid_to")]),
		h("section", {class: "panel list-panel", "aria-label": "Cards", "aria-busy": String(!list)},
			!list ? p.bones(12, 32) : list.rows.length ? p.table("Cards", COLUMNS, list.rows, {key: (c) => c.iccid})
				: list.next ? p.empty("Nothing found yet", "The search goes on from here.") : p.empty("No cards", ctx.query.toString() ? "No card matches this filter." : "Cards arrive through the cards topic."),
			list && lists.pager(list, ctx.ui, ctx.set, ctx.reload, "Cards")));
}
