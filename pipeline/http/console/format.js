/*
 * Numbers and times for people.
 *
 * Amounts are bytes. They are shown in the carrier's MB (1,048,576 or 1,000,000 bytes, as its contract says); the exact
 * bytes and that size stand in the tooltip. Times are shown in the viewer's zone; what belongs to a carrier's calendar
 * (cycles, days) in the carrier's, which is then named.
 */
export const MB_BINARY = 1048576;
export const VIEWER_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

const whole = new Intl.NumberFormat("en");
export const count = (n) => (n === null || n === undefined ? "–" : whole.format(n));

const short = new Intl.NumberFormat("en", {notation: "compact", maximumFractionDigits: 1});
export const countShort = (n) => (Math.abs(n) < 100000 ? count(n) : short.format(n));

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB", "EB"];

/* {number, unit}: three digits that count. Negative amounts are allowed (a pool's remaining). */
export function amountParts(bytes, mb) {
	const step = (mb || MB_BINARY) === 1000000 ? 1000 : 1024;
	const scale = (mb || MB_BINARY) / step / step; // an MB that is neither: KB and GB follow it
	let value = Math.abs(bytes);
	let unit = 0;
	while (unit < UNITS.length - 1 && value >= (unit === 0 ? step * scale : step) * 0.9995) {
		value /= unit === 0 ? step * scale : step;
		unit++;
	}
	const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
	return {number: (bytes < 0 ? "−" : "") + value.toFixed(digits), unit: UNITS[unit]};
}

export function amount(bytes, mb) {
	if (bytes === null || bytes === undefined) return "–";
	const parts = amountParts(bytes, mb);
	return parts.number + " " + parts.unit;
}

/* In the largest unit that leaves at least four digits before the point: 4,098 MB rather than 4.00 GB. */
export function amountFine(bytes, mb) {
	const size = mb || MB_BINARY;
	const step = size === 1000000 ? 1000 : 1024;
	const units = [[size * step, "GB"], [size, "MB"], [size / step, "KB"]];
	const [scale, unit] = units.find(([by]) => Math.abs(bytes) >= by * 1000) || (Math.abs(bytes) >= size ? units[1] : [1, "B"]);
	const value = bytes / scale;
	return whole.format(Math.abs(value) >= 1000 || scale === 1 ? Math.floor(value) : Math.round(value * 100) / 100) + " " + unit;
}

export function amountExact(bytes, mb) {
	return count(bytes) + " bytes (1 MB = " + count(mb || MB_BINARY) + " bytes)";
}

/* Text of an input, "10 GB" or "500MB" or "1048576", to bytes; null when it is none. */
export function parseAmount(text, mb) {
	const match = /^\s*(\d+(?:[.,]\d+)?)\s*([kmgtp]?)i?b?\s*$/i.exec(text);
	if (!match) return null;
	const size = mb || MB_BINARY;
	const step = size === 1000000 ? 1000 : 1024;
	const power = "kmgtp".indexOf(match[2].toLowerCase()) - 1;
	const factor = match[2] ? size * step ** power : 1;
	const bytes = Math.round(Number(match[1].replace(",", ".")) * factor);
	return Number.isSafeInteger(bytes) ? bytes : null;
}

/* A share as whole percent that never says 100 before it is. */
export function percent(part, total) {
	if (!total) return null;
	const value = (part / total) * 100;
	if (value >= 100) return Math.floor(value);
	return Math.min(99.9, value < 10 ? Math.round(value * 10) / 10 : Math.floor(value));
}

/* ---- times ---- */

const formats = new Map();
function format(zone, options) {
	const key = zone + JSON.stringify(options);
	if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", {timeZone: zone, ...options}));
	return formats.get(key);
}

const DAY = {day: "numeric", month: "short", year: "numeric"};
const CLOCK = {hour: "2-digit", minute: "2-digit", hourCycle: "h23"};

const as = (iso) => (iso ? new Date(iso) : null);
const text = (iso, zone, options) => (as(iso) ? format(zone || VIEWER_ZONE, options).format(as(iso)).replace(",", "") : "–");

export const date = (iso, zone) => text(iso, zone, DAY);
export const clock = (iso, zone) => text(iso, zone, CLOCK);
export const dateTime = (iso, zone) => text(iso, zone, {...DAY, ...CLOCK});
export const dateTimeSeconds = (iso, zone) => text(iso, zone, {...DAY, ...CLOCK, second: "2-digit"});
export const dayMonth = (iso, zone) => text(iso, zone, {day: "numeric", month: "short"});
export const timeExact = (iso) => (iso ? iso.replace("T", " ").replace("Z", " UTC") : "");

/* "2026-11" to "November 2026". */
export function cycleName(cycle) {
	return /^\d{4}-\d\d$/.test(cycle || "") ? text(cycle + "-15T00:00:00Z", "UTC", {month: "long", year: "numeric"}) : cycle || "–";
}

/* First and last moment of a window as its zone's calendar has them; its end, when midnight, as 24:00 of the day before. */
export function span(start, end, zone) {
	const midnight = clock(end, zone) === "00:00";
	const last = midnight ? date(new Date(as(end) - 1000).toISOString(), zone) + " 24:00" : dateTime(end, zone);
	return dateTime(start, zone) + " – " + last;
}

export function ago(iso, now) {
	if (!iso) return "never";
	const s = Math.round(((now || Date.now()) - as(iso)) / 1000);
	if (s < -5) return "in " + duration(-s * 1000);
	if (s < 5) return "just now";
	return duration(s * 1000) + " ago";
}

export function duration(ms) {
	if (ms < 1000) return Math.max(0, Math.round(ms)) + " ms";
	if (ms < 100000) return (ms < 10000 ? (ms / 1000).toFixed(1) : Math.round(ms / 1000)) + " s";
	if (ms < 5400000) return Math.round(ms / 60000) + " min";
	if (ms < 48 * 3600000) return Math.round(ms / 3600000) + " h";
	return Math.round(ms / 86400000) + " days";
}

export function zoneOffset(zone) {
	const part = format(zone, {timeZoneName: "shortOffset"}).formatToParts(new Date()).find((p) => p.type === "timeZoneName");
	return part ? part.value.replace("GMT", "UTC") : "";
}
