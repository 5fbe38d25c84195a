/* A card: its usage over this and the last cycle, why it is cut off, what was done about it and how far it overshot. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";
import {chart} from "./chart.js";
import {cardAction, editRemark, editTags} from "./actions.js";
import {usagePanel} from "./page_pool.js";
import {say} from "./dialog.js";

export const title = (ctx) => "Card " + ctx.args[0];

/* One part of a page may fail without taking the others along. */
export const settle = (promise) => promise.then((value) => ({value}), (error) => {
	if (error.name === "AbortError") throw error;
	return {error};
});

const WINDOWS = [["trend", "Trend"], ["day", "Days"], ["hour", "Hours"], ["cycle", "Cycles"]];

export async function load(ctx, signal) {
	const [iccid] = ctx.args;
	const view = ctx.ui.view || "trend";
	const [card, usage, commands, audit] = await Promise.all([
		api.get(api.path(["cards", iccid]), signal),
		settle(api.get(api.path(["cards", iccid, "usage"], {window: view === "trend" ? "day" : view}), signal)),
		settle(api.get(api.path(["cards", iccid, "commands"]), signal)),
		settle(api.get(api.path(["cards", iccid, "audit"]), signal)),
	]);
	return {card, usage: {...usage, view}, commands, audit};
}

function copy(text) {
	navigator.clipboard?.writeText(text).then(() => say("Copied " + text), () => say("The browser does not allow copying.", true));
}

export function head(ctx) {
	const card = ctx.data?.card;
	const [iccid] = ctx.args;
	return {
		crumb: [h("a", {href: "#/cards"}, "Cards"), card?.pool && [" / ", p.poolLink(card.pool)]],
		title: h("span", {class: "mono"}, iccid),
		badges: [h("button", {type: "button", class: "quiet icon", "aria-label": "Copy ICCID", title: "Copy", onclick: () => copy(iccid)}, p.icon("copy")),
			card && p.statusBadge(card.status), card?.auto_registered && p.badge("Auto-registered", "off")],
		sub: card && [h("span", null, words.carrier(card.carrier)), h("span", null, card.plan ? "Plan " + card.plan : "No plan"), card.pool && h("span", null, "Pool ", p.poolLink(card.pool))],
		class: "card", reserve: true,
		actions: card && ctx.operator && buttons(ctx, card),
	};
}

function buttons(ctx, card) {
	if (card.stored_status === "cancelled") return null;
	const act = (code) => () => cardAction(card, code, ctx.reload);
	const button = (code, name, cls) => h("button", {type: "button", class: cls, key: code, onclick: act(code)}, name);
	const resumable = card.reasons.some((r) => words.RESUMABLE.includes(r));
	const byHand = card.reasons.includes("manual");
	return [
		byHand || resumable ? button("resume", "Resume…", "primary") : null,
		byHand ? null : button("suspend", "Suspend…", "danger"),
		button("limit", "Limit…"), button("addon", "Add volume…"), button("reset", "Network reset…"),
		h("details", {class: "more", key: "more", ontoggle: closeOutside}, h("summary", {class: "button"}, "More"),
			h("div", {class: "more-list"},
				["testable", "inactive"].includes(card.stored_status) && button("activate", "Activate…", "quiet"),
				button("rebind", "Rebind device…", "quiet"), button("renew", "Renew plan…", "quiet"),
				card.stored_status !== "deactivated" && button("deactivate", "Deactivate…", "quiet danger"),
				(card.stored_status === "deactivated" || byHand) && button("cancel", "Cancel for good…", "quiet danger"))),
	];
}

/* An open menu closes with Escape, a click elsewhere, or its choice. */
function closeOutside(event) {
	const menu = event.currentTarget;
	if (!menu.open) return;
	const end = (e) => {
		if (e.type === "keydown" ? e.key !== "Escape" : menu.querySelector("summary").contains(e.target)) return;
		document.removeEventListener("click", end);
		document.removeEventListener("keydown", end);
		menu.open = false;
		if (e.type === "keydown") menu.querySelector("summary").focus();
	};
	document.addEventListener("click", end);
	document.addEventListener("keydown", end);
}

/* ---- reasons ---- */

function reasonRow(card, code) {
	const r = words.reason(code);
	const off = card.not_enforced.includes(code);
	return h("li", {key: code, class: "reason " + (off ? "off" : "")}, p.icon(off ? "alert" : "stop"),
		h("div", null, h("strong", null, r.name), off && [" ", p.badge("Not enforced", "warn")],
			h("p", null, r.why, off && " " + words.carrier(card.carrier) + " cannot cut this card off for this reason; no command was sent."),
			r.clears && h("p", {class: "muted small"}, "Cleared by: " + r.clears.replace(/^./, (c) => c.toLowerCase()) + ".")));
}

function commandNow(card) {
	const c = card.command;
	if (!c) return null;
	const s = words.commandState(c.state);
	const differs = c.desired !== c.confirmed;
	return h("p", {class: "panel-foot"}, "At the carrier: ", c.confirmed === "unknown" ? "not known" : c.confirmed, differs && [", wanted: ", c.desired], p.badge(s.name, s.tone),
		c.attempts > 1 && c.attempts + " attempts", c.state === "failed" && c.next_attempt && "next attempt " + f.dateTimeSeconds(c.next_attempt));
}

function reasonsPanel(card) {
	if (!card) return p.panel("Why it is cut off", {id: "reasons"}, p.bones(4, 20));
	const cut = card.reasons.filter((r) => !card.not_enforced.includes(r)).length;
	return p.panel(card.reasons.length === 0 ? "Not cut off" : cut ? "Why it is cut off" : "Reasons that hold", {id: "reasons"},
		card.reasons.length ? h("ul", {class: "reasons"}, card.reasons.map((code) => reasonRow(card, code)))
			: h("div", {class: "row ok-line"}, h("span", {class: "ok"}, p.icon("check")), "No reason holds. Its traffic flows."),
		card.limit_lifted && p.callout("warn", "Its usage limit is lifted until this cycle ends or the limit is changed."),
		commandNow(card));
}

/* ---- usage ---- */

function figures(card) {
	const mb = card.mb_bytes;
	const bound = card.total_bytes ?? card.limit_bytes;
	return h("dl", {class: "figures"},
		p.figure("Used this cycle", p.figureAmount(card.used_bytes, mb), f.amount(card.down_bytes, mb) + " down, " + f.amount(card.up_bytes, mb) + " up"),
		p.figure("Remaining", card.remaining_bytes === null ? "No bound" : p.figureAmount(card.remaining_bytes, mb), bound !== null && card.remaining_bytes !== null ? "of " + f.amount(Math.min(card.total_bytes ?? Infinity, card.limit_bytes ?? Infinity), mb) : card.pool ? "its pool's total counts" : "no limit, no allowance"),
		p.figure("Usage limit", card.limit_bytes === null ? "None" : p.figureAmount(card.limit_bytes, mb), card.limit_bytes === null ? "" : card.limit_lifted ? "lifted for this cycle" : card.limit_own ? "its own" : "its plan's"),
		p.figure("Records", f.countShort(card.records), f.count(card.sessions) + (card.sessions === 1 ? " session" : " sessions")),
		p.figure("Last record", card.last_record ? h("span", {title: f.dateTimeSeconds(card.last_record)}, f.ago(card.last_record)) : "None", card.last_record ? f.dateTime(card.last_record) : "in this cycle"));
}

/* Days of two cycles, added up: lines of a trend. A day that has not begun is null. */
export function trend(rows, cycle) {
	const of = (c) => rows.filter((r) => r.cycle === c);
	const before = [...new Set(rows.map((r) => r.cycle))].filter((c) => c < cycle).pop();
	const add = (list) => {
		let sum = 0;
		return list.map((r) => (sum += r.used_bytes));
	};
	const now = of(cycle), past = before ? of(before) : [];
	return {nowRows: now, pastRows: past, now: add(now), past: add(past), before};
}

function trendChart(ctx, card, usage) {
	const t = trend(usage.value.usage, card.cycle);
	const zone = usage.value.zone;
	const days = Math.max(t.now.length, t.past.length, Math.round((new Date(card.cycle_end) - new Date(card.cycle_start)) / 86400000) || 1);
	const day = (i) => new Date(new Date(card.cycle_start).getTime() + i * 86400000 + 43200000).toISOString(); // its noon or so, also when clocks change
	const points = Array.from({length: days}, (_, i) => ({
		name: String(i + 1), title: "Day " + (i + 1) + (i < days ? ", " + f.dayMonth(t.nowRows[i]?.start || day(i), zone) : ""),
		values: t.nowRows[i] ? [t.nowRows[i].down_bytes, t.nowRows[i].up_bytes] : [0, 0], records: t.nowRows[i]?.records, open: t.nowRows[i]?.open, known: Boolean(t.nowRows[i]),
	}));
	const now = points.map((_, i) => (i < t.now.length ? t.now[i] : null));
	const limits = card.limit_bytes !== null && !card.limit_lifted && !card.not_enforced.includes("usage_limit");
	const limit = Math.min(limits ? card.limit_bytes : Infinity, card.total_bytes ?? Infinity);
	return chart({
		label: "Usage since the cycle's begin, this and the last cycle", mb: card.mb_bytes, points, lines: {now, past: t.past}, limit: Number.isFinite(limit) ? limit : null, pointName: "Day",
		limitName: limits && limit === card.limit_bytes ? "limit" : "allowance",
		nowName: f.cycleName(card.cycle), pastName: t.before ? f.cycleName(t.before) : "",
	}, ctx.ui.readAt ?? -1, (at) => ctx.set({readAt: at}));
}

function cardUsage(ctx) {
	const card = ctx.data?.card;
	const usage = ctx.data?.usage;
	if ((ctx.ui.view || "trend") !== "trend" || (usage && usage.view !== "trend")) return usagePanel({...ctx, ui: {view: "trend", ...ctx.ui}}, usage?.view === "trend" ? null : usage, card?.mb_bytes, "Usage", WINDOWS);
	const pick = (code) => {
		ctx.set({view: code, readAt: -1});
		ctx.reload();
	};
	return p.panel("Usage", {extra: p.segments("Windows", WINDOWS, "trend", pick)},
		h("p", {class: "muted small chart-note"}, card?.zone ? "Added up by day of the cycle, in " + card.zone : " "),
		h("div", {class: "chart-room"}, !usage ? p.bone("100%", 220) : usage.error ? p.callout("bad", usage.error.message)
			: usage.value.usage.length ? trendChart(ctx, card, usage) : p.empty("No usage kept", "Nothing was counted in this or the last cycle.")));
}

/* ---- operation records and audit ---- */

const took = (from, to) => (from && to ? f.duration(new Date(to) - new Date(from)) : null);

const commandColumns = (mb) => [
	{name: "Operation", lead: true, cell: (c) => [words.action(c.action), h("span", {class: "sub"}, p.time(c.decided || c.sent, f.dateTimeSeconds))]},
	{name: "State", aside: true, cell: (c) => [p.badge(words.commandState(c.state).name, words.commandState(c.state).tone), took(c.decided, c.confirmed) && h("span", {class: "sub"}, "in " + took(c.decided, c.confirmed))]},
	{name: "Reason", cell: (c) => (c.reason ? words.reason(c.reason).name : c.action === "resume" ? "No reason left" : "–")},
	{name: "Limit", number: true, cell: (c) => p.amountFine(c.limit_bytes, mb)},
	{name: "Usage before", number: true, cell: (c) => p.amountFine(c.usage_before_bytes, mb)},
	{name: "Usage after", number: true, cell: (c) => p.amountFine(c.usage_after_bytes, mb)},
	{name: "Overshoot", number: true, cell: (c) => (c.limit_bytes === null ? p.amount(null) : h("span", {class: c.overshoot_bytes ? "warn" : "muted"}, p.amount(c.overshoot_bytes, mb)))},
	{name: "Carrier's answer", wide: true, cell: (c) => (c.ticket || c.reply ? h("span", {class: "wrap"}, c.ticket && h("code", null, c.ticket), c.reply && h("span", {class: "sub"}, c.reply)) : null)},
];

function operations(part, mb) {
	if (part.error) return p.callout("bad", part.error.message);
	const rows = part.value.commands;
	return rows.length ? p.table("Operation records", commandColumns(mb), rows, {key: (c) => c.action + (c.decided || c.sent || c.offset)}) : p.empty("No operations", "Nothing was ever asked of the carrier for this card, or it is no longer kept.");
}

/* What a request asked for is the first word of its reply; its own action says what the card is to be afterwards. */
const auditAction = (e) => (["request", "refused"].includes(e.event) && e.reply ? e.reply.split(" ")[0] : e.action);

const auditColumns = (mb) => [
	{name: "When", lead: true, cell: (e) => p.time(e.at, f.dateTimeSeconds)},
	{name: "Event", cell: (e) => words.commandState(e.event).name + (auditAction(e) ? ": " + words.action(auditAction(e)).toLowerCase() : "")},
	{name: "Because of", cell: (e) => (e.event === "refused" && e.reply ? e.reply.slice(e.reply.indexOf(": ") + 2) : e.reason ? words.reason(e.reason).name : null)},
	{name: "Reasons afterwards", cell: (e) => (e.reasons?.length ? e.reasons.map((r) => words.reason(r).name).join(", ") : "none")},
	{name: "Rule", cell: (e) => e.rule},
	{name: "Usage", number: true, cell: (e) => (e.usage_after_bytes ? p.amount(e.usage_after_bytes, mb) : null)},
	{name: "Record", wide: true, cell: (e) => (e.topic ? h("code", {class: "wrap"}, e.topic + "/" + e.partition + "/" + e.offset) : "the clock")},
];

/* Of a card or a pool. */
export function auditTable(part, mb) {
	if (part.error) return p.callout("bad", part.error.message);
	const rows = part.value.audit;
	return rows.length ? p.table("Audit", auditColumns(mb), rows.map((e, i) => ({...e, i: rows.length - i})), {key: (e) => e.at + e.event + e.i}) : p.empty("Nothing yet", "No decision was made, or it is no longer kept.");
}

/* ---- facts, tags ---- */

const factRows = (card) => [
	["Status", [p.statusBadge(card.status), card.stored_status !== card.status && h("span", {class: "muted small block"}, "inventory: " + words.status(card.stored_status).name.toLowerCase())]],
	["Carrier", words.carrier(card.carrier)],
	["Plan", card.plan ? [card.plan, card.plan_kind && h("span", {class: "muted small block"}, words.kind(card.plan_kind).name.toLowerCase() + (card.plan_allowance_bytes ? ", " + f.amount(card.plan_allowance_bytes, card.mb_bytes) + " a cycle" : ""))] : "–"],
	card.pool && ["Pool", p.poolLink(card.pool)],
	["Add-ons", p.amount(card.addon_bytes, card.mb_bytes)],
	card.stored_status === "testable" && ["Test traffic", p.amount(card.test_used_bytes, card.mb_bytes)],
	["Cycle", f.cycleName(card.cycle)],
	["Cycle runs", card.cycle_start ? [h("span", {title: f.dateTime(card.cycle_start) + " – " + f.dateTime(card.cycle_end) + " " + f.VIEWER_ZONE}, f.span(card.cycle_start, card.cycle_end, card.zone)), h("span", {class: "muted small block"}, "in " + card.zone)] : "–"],
	["At its end", card.auto_restore ? "usage limit restores by itself" : "usage limit stays until resumed"],
	["Activated", p.time(card.activated)],
	["Expires", card.expires ? h("span", {class: card.expired ? "bad" : null}, p.time(card.expires)) : "–"],
	["Bound device", card.imei ? h("code", null, card.imei) : "–"],
	card.parent && ["Part of", p.cardLink(card.parent)],
	["1 MB", f.count(card.mb_bytes || f.MB_BINARY) + " bytes"],
];

function labels(ctx, card) {
	const edit = (name, run) => ctx.operator && h("button", {type: "button", class: "link", "aria-label": "Edit " + name, onclick: () => run(card, ctx.reload)}, "Edit");
	return h("div", {class: "labels"},
		h("div", {class: "row"}, h("h3", null, "Tags"), edit("tags", editTags)),
		card.tags.length ? h("span", {class: "badges"}, card.tags.map((tag) => h("a", {class: "badge plain info", href: p.searchPath({tag}), key: tag}, tag))) : h("p", {class: "muted"}, "None"),
		h("div", {class: "row"}, h("h3", null, "Remark"), edit("remark", editRemark)),
		h("p", {class: card.remark ? "remark" : "muted"}, card.remark || "None"));
}

const childColumns = [
	{name: "Sub-card", lead: true, cell: (c) => p.cardLink(c.iccid)},
	{name: "Carrier", cell: (c) => words.carrier(c.carrier)},
	{name: "Status", aside: true, cell: (c) => (c.status ? p.statusBadge(c.status) : "not known yet")},
	{name: "Used this cycle", number: true, cell: (c) => p.amount(c.used_bytes)},
];

export function view(ctx) {
	const card = ctx.data?.card;
	return h("div", {class: "stack"},
		card ? figures(card) : h("dl", {class: "figures"}, [1, 2, 3, 4, 5].map(() => p.figure(" ", p.bone("90px", 24)))),
		h("div", {class: "grid"},
			h("div", {class: "w8 stack", key: "main"}, reasonsPanel(card), cardUsage(ctx),
				card?.children?.length > 0 && p.panel("Sub-cards", {note: f.amount(card.children_used_bytes) + " together"}, p.table("Sub-cards", childColumns, card.children, {key: (c) => c.iccid}))),
			h("div", {class: "w4 stack", key: "side"}, p.panel("About this card", {class: "facts-panel"}, card ? [p.facts(factRows(card)), labels(ctx, card)] : p.bones(12, 20)))),
		p.panel("Operation records", {note: "newest first"}, h("div", {class: "operations"}, ctx.data ? operations(ctx.data.commands, card.mb_bytes) : p.bones(4, 28))),
		h("section", {class: "panel", key: "audit"}, h("details", {class: "audit"}, h("summary", null, h("h2", null, "Audit trail"), ctx.data?.audit?.value && h("span", {class: "muted"}, " " + ctx.data.audit.value.audit.length + " entries")),
			ctx.data && auditTable(ctx.data.audit, card.mb_bytes))));
}
