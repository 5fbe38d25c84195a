/* A pool: what POOL-6 names, its usage by hour and day, its members, and what an operator may ask. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import * as lists from "./lists.js";
import {chart} from "./chart.js";
import {poolAction} from "./actions.js";
import {auditTable, settle} from "./page_card.js";

export const title = (ctx) => "Pool " + (ctx.data?.pool?.name || ctx.args[0]);

const HOURS = 48;

const usagePath = (id, view) => view === "hour"
	? api.path(["pools", id, "usage"], {window: "hour", from: new Date(Date.now() - HOURS * 3600000).toISOString()})
	: api.path(["pools", id, "usage"], {window: view});

export async function load(ctx, signal) {
	const [id] = ctx.args;
	const view = ctx.ui.view || "hour";
	const [pool, usage, members, audit] = await Promise.all([
		api.get(api.path(["pools", id]), signal),
		settle(api.get(usagePath(id, view), signal)),
		settle(lists.page(["pools", id, "members"], "cards", {}, ctx.ui, signal, 25)),
		settle(api.get(api.path(["pools", id, "audit"]), signal)),
	]);
	return {pool, usage: {...usage, view}, members, audit};
}

export function head(ctx) {
	const pool = ctx.data?.pool;
	const [id] = ctx.args;
	return {
		crumb: [h("a", {href: "#/pools"}, "Pools")],
		title: pool?.name || id,
		badges: pool && [p.statusBadge(pool.status), pool.frozen && p.badge("Frozen", "bad")],
		sub: pool && [h("span", null, h("code", null, pool.id)), h("span", {title: words.kind(pool.kind).means}, pool.kind ? words.kind(pool.kind).name + " pool" : "No definition yet"),
			h("span", null, words.carrier(pool.carrier)), pool.plan && h("span", null, "Plan " + pool.plan)],
		reserve: true,
		actions: pool && ctx.operator && poolButtons(pool, ctx.reload),
	};
}

function poolButtons(pool, reload) {
	const act = (code) => () => poolAction(pool, code, reload);
	return [
		pool.kind !== "metered" && h("button", {type: "button", onclick: act("addon")}, "Add volume…"),
		pool.frozen ? h("button", {type: "button", class: "primary", onclick: act("paid")}, "Mark as paid…") : h("button", {type: "button", class: "danger", onclick: act("freeze")}, "Freeze…"),
		pool.status === "disabled" && h("button", {type: "button", class: "primary", onclick: act("enable")}, "Enable again…"),
	];
}

function reasonsOf(pool) {
	return pool.reasons.map((code) => {
		const r = words.reason(code);
		return h("div", {key: code, class: "pool-reason"}, p.callout("bad", h("strong", null, r.name), " – ", r.why, " All effective cards are cut off. ", h("span", {class: "muted"}, "Cleared by: " + r.clears.replace(/^./, (c) => c.toLowerCase()) + ".")));
	});
}

function usageFigures(pool) {
	const total = pool.effective_total_bytes ?? pool.threshold_bytes;
	const mb = pool.mb_bytes;
	const share = total ? f.percent(pool.used_bytes, total) : null;
	return [
		h("dl", {class: "figures"},
			p.figure("Used", p.figureAmount(pool.used_bytes, mb), f.amount(pool.down_bytes, mb) + " down, " + f.amount(pool.up_bytes, mb) + " up"),
			p.figure("Effective total", pool.effective_total_bytes === null ? "None" : p.figureAmount(pool.effective_total_bytes, mb), pool.addon_bytes ? "with " + f.amount(pool.addon_bytes, mb) + " of add-ons" : "no add-ons"),
			p.figure("Remaining", pool.remaining_bytes === null ? "–" : h("span", {class: pool.remaining_bytes < 0 ? "bad" : null}, p.figureAmount(pool.remaining_bytes, mb)), share === null ? "no total" : share + " % used"),
			p.figure("Effective cards", f.count(pool.effective_cards), "of " + f.count(pool.cards) + " members"),
			pool.threshold_bytes !== null && p.figure("Threshold", p.figureAmount(pool.threshold_bytes, mb), pool.threshold_action === "suspend" ? "suspends" : "alerts")),
		h("div", {class: "panel meter-panel"}, p.meter(pool.used_bytes, total, mb, "Usage of the pool", true),
			h("p", {class: "muted small"}, share === null ? "No total and no threshold" : share + " % of the " + (pool.effective_total_bytes === null ? "threshold" : "total") + " is used in this cycle"),
			reasonsOf(pool)),
	];
}

const factRows = (pool) => [
	["Name", pool.name], ["Id", h("code", null, pool.id)], ["Kind", h("span", {title: words.kind(pool.kind).means}, pool.kind ? words.kind(pool.kind).name : "–")],
	["Status", p.statusBadge(pool.status)], ["Carrier", words.carrier(pool.carrier)], ["Plan", pool.plan || "–"],
	["Cards", f.count(pool.cards) + ", " + f.count(pool.effective_cards) + " effective"],
	["Total", p.amount(pool.effective_total_bytes, pool.mb_bytes)], ["Used", p.amount(pool.used_bytes, pool.mb_bytes)], ["Remaining", p.amount(pool.remaining_bytes, pool.mb_bytes)],
	["Cycle", f.cycleName(pool.cycle)],
	["Cycle runs", pool.cycle_start ? [h("span", {title: f.dateTime(pool.cycle_start) + " – " + f.dateTime(pool.cycle_end) + " " + f.VIEWER_ZONE}, f.span(pool.cycle_start, pool.cycle_end, pool.zone)), h("span", {class: "muted small block"}, "in " + pool.zone)] : "–"],
	["Batch numbers", pool.batches.length ? pool.batches.join(", ") : "–"],
	["Changed", p.time(pool.changed)],
	pool.arrears_since && ["In arrears since", p.time(pool.arrears_since)], pool.disabled_since && ["Disabled since", p.time(pool.disabled_since)],
	["1 MB", f.count(pool.mb_bytes || f.MB_BINARY) + " bytes"],
];

const hourName = (row) => f.clock(row.start);

/* Rows of usage as points of a chart. Hours are instants (viewer's zone), days belong to the carrier's calendar. */
export function points(rows, view, zone) {
	return rows.map((row) => ({
		name: view === "hour" ? hourName(row) : view === "day" ? f.dayMonth(row.start, zone) : f.cycleName(row.cycle).slice(0, 3) + " " + row.cycle.slice(2, 4),
		title: view === "hour" ? f.dateTime(row.start) + " – " + f.clock(row.end) : view === "day" ? f.date(row.start, zone) : f.cycleName(row.cycle),
		values: [row.down_bytes, row.up_bytes], records: row.records, open: row.open,
	}));
}

const VIEWS = [["hour", "Hours"], ["day", "Days"], ["cycle", "Cycles"]];
const VIEW_WORDS = {hour: "Last " + HOURS + " hours, in " + f.VIEWER_ZONE, day: "Days of this and the last cycle", cycle: "Billing cycles"};

/* Panel with the chart of a card's or pool's windows and the choice between them. */
export function usagePanel(ctx, usage, mb, heading, views = VIEWS) {
	const view = ctx.ui.view || views[0][0];
	const pick = (code) => {
		ctx.set({view: code, readAt: -1});
		ctx.reload();
	};
	const rows = usage?.value?.usage;
	const note = usage && (usage.view === "hour" ? VIEW_WORDS.hour : VIEW_WORDS[usage.view] + (usage.value?.zone ? ", in " + usage.value.zone : ""));
	return p.panel(heading, {extra: p.segments("Windows", views, view, pick)},
		h("p", {class: "muted small chart-note"}, note || " "),
		h("div", {class: "chart-room"},
			!usage ? p.bone("100%", 220) : usage.error ? p.callout("bad", usage.error.message) : !rows.length ? p.empty("No usage kept", "Nothing was counted in the time that is kept.")
				: chart({label: heading + ": " + VIEW_WORDS[usage.view].toLowerCase(), mb, points: points(rows, usage.view, usage.value.zone), pointName: VIEWS.find(([c]) => c === usage.view)[1].replace(/s$/, "")},
					ctx.ui.readAt ?? -1, (at) => ctx.set({readAt: at}))));
}

const MEMBERS = [
	{name: "Card", lead: true, cell: (c) => p.cardLink(c.iccid)},
	{name: "Status", aside: true, cell: (c) => p.statusBadge(c.status)},
	{name: "Reasons", wide: true, cell: (c) => (c.reasons.length ? p.reasonBadges(c.reasons, c.not_enforced) : null)},
	{name: "Usage", wide: true, cell: (c) => p.usageCell(c.used_bytes, c.limit_bytes, c.mb_bytes, "Usage of " + c.iccid + " against its limit")},
	{name: "Last record", cell: (c) => p.time(c.last_record)},
];

function membersPanel(ctx) {
	const members = ctx.data?.members;
	const list = members?.value && {...members.value, rows: members.value.rows.map((c) => ({mb_bytes: ctx.data.pool.mb_bytes, ...c}))};
	return p.panel("Members", {extra: h("a", {class: "small", href: p.searchPath({pool: ctx.args[0]})}, "Search and export")},
		h("div", {class: "members"}, !members ? p.bones(8, 30) : members.error ? p.callout("bad", members.error.message)
			: list.rows.length ? p.table("Members of the pool", MEMBERS, list.rows, {key: (c) => c.iccid}) : p.empty("No members", "No card is in this pool.")),
		list && lists.pager(list, ctx.ui, ctx.set, ctx.reload, "Members"));
}

export function view(ctx) {
	const pool = ctx.data?.pool;
	return h("div", {class: "stack"},
		pool ? usageFigures(pool) : [h("dl", {class: "figures"}, [1, 2, 3, 4].map(() => p.figure(" ", p.bone("90px", 24)))), h("div", {class: "panel meter-panel"}, p.bone("100%", 14), h("p", {class: "small"}, " "))],
		h("div", {class: "grid even"},
			h("div", {class: "w8 tall", key: "usage"}, usagePanel(ctx, ctx.data?.usage, pool?.mb_bytes, "Usage")),
			h("div", {class: "w4", key: "facts"}, p.panel("About this pool", {class: "facts-panel"}, pool ? p.facts(factRows(pool)) : p.bones(12, 20)))),
		membersPanel(ctx),
		p.panel("History", {note: "newest first"}, !ctx.data ? p.bones(3, 24) : auditTable(ctx.data.audit, pool.mb_bytes)));
}
