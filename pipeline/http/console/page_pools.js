/* All pools, filtered, page by page, with usage bars. */
import {h} from "./dom.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import * as lists from "./lists.js";

export const title = () => "Pools";
export const head = () => ({title: "Pools", sub: "Shared data, by pool"});

const FILTERS = ["q", "carrier", "kind", "status", "reason", "plan"];

export async function load(ctx, signal) {
	const params = Object.fromEntries(FILTERS.map((name) => [name, ctx.query.get(name)]));
	return {list: await lists.page(["pools"], "pools", params, ctx.ui, signal)};
}

export function filterForm(ctx, fields) {
	const submit = (event) => {
		event.preventDefault();
		const query = {};
		for (const [name, value] of new FormData(event.target)) if (value.trim()) query[name] = query[name] ? query[name] + "," + value.trim() : value.trim();
		ctx.go(query);
	};
	const used = [...ctx.query.keys()].length > 0;
	return h("form", {class: "panel filter-panel", onsubmit: submit, role: "search", "aria-label": "Filter", key: "filter-" + ctx.query.toString()},
		h("div", {class: "filters"}, fields,
			h("div", {class: "row filter-buttons"}, h("button", {class: "primary"}, "Search"), used && h("button", {type: "button", class: "quiet", onclick: () => ctx.go({})}, "Clear"))));
}

const any = (codes, name) => [["", "Any"], ...codes.map((code) => [code, name(code).name])];

const COLUMNS = [
	{name: "Pool", lead: true, cell: (x) => [p.poolLink(x.id, x.name), x.name && x.name !== x.id && h("span", {class: "sub mono"}, x.id)]},
	{name: "Kind", cell: (x) => h("span", {title: words.kind(x.kind).means}, x.kind ? words.kind(x.kind).name : "–")},
	{name: "Carrier", cell: (x) => h("span", {class: "nowrap"}, words.carrier(x.carrier), x.plan && h("span", {class: "sub"}, x.plan))},
	{name: "Status", aside: true, cell: (x) => [p.statusBadge(x.status), x.reasons.length > 0 && h("span", {class: "sub"}, x.reasons.map((r) => words.reason(r).name).join(", "))]},
	{name: "Effective / all", number: true, cell: (x) => f.count(x.effective_cards) + " / " + f.count(x.cards)},
	{name: "Usage", wide: true, cell: (x) => p.usageCell(x.used_bytes, x.effective_total_bytes ?? x.threshold_bytes, x.mb_bytes, "Usage of " + (x.name || x.id))},
	{name: "Remaining", number: true, cell: (x) => h("span", {class: x.remaining_bytes < 0 ? "bad" : null}, p.amount(x.remaining_bytes, x.mb_bytes))},
];

export function view(ctx) {
	const list = ctx.data?.list;
	const q = (name) => ctx.query.get(name) || "";
	return h("div", {class: "stack"},
		filterForm(ctx, [
			p.input("Name or id", "q", {value: q("q"), type: "search"}),
			p.input("Carrier", "carrier", {value: q("carrier"), placeholder: "cm, cu, ct …"}),
			p.select("Kind", "kind", any(words.POOL_KINDS, words.kind), q("kind")),
			p.select("Status", "status", any(words.POOL_STATUSES, words.status), q("status")),
			p.select("Reason", "reason", any(words.POOL_REASONS, words.reason), q("reason"))]),
		h("section", {class: "panel list-panel", "aria-label": "Pools", "aria-busy": String(!list)},
			!list ? p.bones(12, 32) : list.rows.length ? p.table("Pools", COLUMNS, list.rows, {key: (x) => x.id})
				: list.next ? p.empty("Nothing found yet", "The search goes on from here.") : p.empty("No pools", ctx.query.toString() ? "No pool matches this filter." : "Pools arrive through the cards topic."),
			list && lists.pager(list, ctx.ui, ctx.set, ctx.reload, "Pools")));
}
