/* The fleet at a glance: how many cards in which state, why they are cut off, and which pools run out next. */
import {h} from "./dom.js";
import * as api from "./api.js";
import * as f from "./format.js";
import * as words from "./words.js";
import * as p from "./parts.js";

export const title = () => "Fleet";

/* Records a second, by two answers of one visit. */
function rate(before, now) {
	if (!before || before.records_read > now.records_read) return null;
	const seconds = (now.asked - before.asked) / 1000;
	return seconds < 1 ? null : (now.records_read - before.records_read) / seconds;
}

/* The server knows which they are; what a pool is called and what remains it is asked for one by one. */
async function nearest(fleet, signal) {
	const pools = await Promise.all(fleet.nearest_pools.map(async (near) => {
		const pool = await api.getOrNull(api.path(["pools", near.id]), signal);
		return pool || {...near, carrier: null, effective_total_bytes: near.limit_bytes, effective_cards: near.cards, remaining_bytes: null};
	}));
	return {pools};
}

export async function load(ctx, signal) {
	const fleet = await api.get(api.path(["fleet"]), signal);
	fleet.asked = Date.now();
	const pools = await nearest(fleet, signal).catch((error) => ({error}));
	return {fleet, pools, rate: rate(ctx.data?.fleet, fleet) ?? ctx.data?.rate ?? null};
}

export function head() {
	return {title: "Fleet", sub: "All cards and pools, in their current cycles"};
}

function figures(d) {
	const fleet = d?.fleet;
	const value = (n) => (fleet ? f.countShort(n) : p.bone("60px", 24));
	const part = (n) => (fleet?.cards ? f.percent(n, fleet.cards) + " % of cards" : "");
	const lag = fleet?.stream_time ? Date.now() - new Date(fleet.stream_time) : null;
	return h("dl", {class: "figures"},
		p.figure("Cards", value(fleet?.cards), fleet && f.count(fleet.counted_cards ?? fleet.cards) + " looked at"),
		p.figure("Pools", value(fleet?.pools), "shared data"),
		p.figure("With a reason", value(fleet?.with_reason), part(fleet?.with_reason), "Cards that hold at least one reason to be cut off"),
		p.figure("Not enforced", value(fleet?.not_enforced), "carrier cannot do it", "Cards with a reason that their carrier cannot enforce"),
		p.figure("Used", fleet ? p.figureAmount(fleet.used_bytes) : p.bone("90px", 24), "in current cycles"),
		p.figure("Records read", value(fleet?.records_read), d?.rate !== null && d?.rate !== undefined ? f.count(Math.round(d.rate)) + " a second" : "rate after a refresh"),
		p.figure("Stream lag", fleet ? (lag === null ? "–" : h("span", {title: f.timeExact(fleet.stream_time)}, f.duration(lag))) : p.bone("60px", 24), "oldest partition"));
}

const TONES = {ok: "tone-ok", bad: "tone-bad", warn: "tone-warn", info: "tone-info", off: "tone-off"};

function byStatus(fleet) {
	const rows = words.CARD_STATUSES.map((code) => [code, fleet.by_status[code] || 0]);
	const tone = (code) => (code === "cancelled" ? "tone-dim" : TONES[words.status(code).tone]);
	return [
		h("div", {class: "share-bar", "aria-hidden": "true"}, rows.filter(([, n]) => n).map(([code, n]) => h("span", {key: code, class: tone(code), style: {"--share": n}}))),
		h("ul", {class: "bars dots"}, rows.map(([code, n]) => h("li", {key: code},
			h("span", {class: "name " + tone(code)}, h("a", {href: p.searchPath({status: code}), title: words.status(code).means}, words.status(code).name)),
			h("span", {class: "number"}, f.count(n), h("span", {class: "muted small share-text"}, fleet.cards ? f.percent(n, fleet.cards) + " %" : ""))))),
	];
}

function barList(rows, link, tone) {
	const most = Math.max(1, ...rows.map(([, n]) => n));
	return h("ul", {class: "bars"}, rows.map(([code, n, name, hint]) => h("li", {key: code, class: tone},
		h("span", {class: "name"}, h("a", {href: link(code), title: hint}, name)), h("span", {class: "number"}, f.count(n)),
		h("span", {class: "bar"}, h("span", {style: {"--part": (n / most) * 100 + "%"}})))));
}

function byReason(fleet) {
	const rows = Object.entries(fleet.by_reason).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
	if (!rows.length) return p.empty("No card is cut off", "No reason holds anywhere in the fleet.");
	return barList(rows.map(([code, n]) => [code, n, words.reason(code).name, words.reason(code).why]), (code) => p.searchPath({reason: code}), "tone-bad");
}

function byCarrier(fleet) {
	const rows = Object.entries(fleet.by_carrier).sort((a, b) => b[1] - a[1]);
	if (!rows.length) return p.empty("No cards yet", "Cards arrive through the cards topic.");
	return barList(rows.map(([code, n]) => [code, n, words.carrier(code) + (words.carrier(code) === code ? "" : " · " + code), ""]), (code) => p.searchPath({carrier: code}), "tone-info");
}

const COLUMNS = [
	{name: "Pool", lead: true, cell: (x) => [p.poolLink(x.id, x.name), x.name && x.name !== x.id && h("span", {class: "sub mono"}, x.id)]},
	{name: "Carrier", cell: (x) => words.carrier(x.carrier)},
	{name: "Status", aside: true, cell: (x) => p.statusBadge(x.status)},
	{name: "Effective cards", number: true, cell: (x) => f.count(x.effective_cards)},
	{name: "Usage", wide: true, cell: (x) => p.usageCell(x.used_bytes, x.effective_total_bytes ?? x.threshold_bytes, x.mb_bytes, "Usage of " + (x.name || x.id))},
	{name: "Remaining", number: true, cell: (x) => h("span", {class: x.remaining_bytes < 0 ? "bad" : null}, p.amount(x.remaining_bytes, x.mb_bytes))},
];

function nearestPools(d) {
	if (!d) return p.bones(8, 28);
	if (d.pools.error) return p.callout("bad", d.pools.error.message);
	if (!d.pools.pools.length) return p.empty("No pool has a limit", "Pools with a total or a threshold are listed here, the fullest first.");
	return p.table("Pools nearest to their limit", COLUMNS, d.pools.pools, {key: (x) => x.id});
}

export function view(ctx) {
	const d = ctx.data;
	const fleet = d?.fleet;
	const counting = fleet && !fleet.counted_at;
	return h("div", {class: "stack"},
		figures(d),
		counting && p.callout("warn", "The cards are still being counted: " + f.count(fleet.counted_cards) + " of " + f.count(fleet.cards) + " so far."),
		h("div", {class: "grid even fleet-grid"},
			h("div", {class: "w4", key: "status"}, p.panel("Cards by status", {}, fleet ? byStatus(fleet) : p.bones(7, 20))),
			h("div", {class: "w4", key: "reason"}, p.panel("Reasons to be cut off", {}, fleet ? byReason(fleet) : p.bones(7, 20))),
			h("div", {class: "w4", key: "carrier"}, p.panel("Cards by carrier", {}, fleet ? byCarrier(fleet) : p.bones(7, 20)))),
		p.panel("Pools nearest to their limit", {extra: h("a", {class: "small", href: "#/pools"}, "All pools")}, h("div", {class: "nearest"}, nearestPools(d))));
}
