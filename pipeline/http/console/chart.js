/*
 * Charts as inline SVG: bars of windows, and a trend of two cycles. Drawn for the width that there is, redrawn when that
 * changes; the height is fixed, so nothing moves. Pointer and arrow keys move a cursor whose values are read out below;
 * for assistive technology the chart is a slider over its points, and each chart has the same numbers as a table.
 *
 * <weir-chart>.spec = {label, mb, points: [{name, title, values: [down, up], open}], lines: {now: [], past: []}, limit}
 * With `lines` (cumulative bytes a point, null = not yet) a trend is drawn, else bars of the points' values.
 */
import {h, draw} from "./dom.js";
import * as f from "./format.js";
import {amount, table} from "./parts.js";

const PAD = {top: 10, right: 8, bottom: 22};

/* Up to five round values from 0 to at least max, in the unit that max is shown in. */
export function ticks(max, mb) {
	if (!(max > 0)) return [0];
	const size = mb || f.MB_BINARY;
	const step = size === 1000000 ? 1000 : 1024;
	let unit = 1;
	while (max / unit >= step) unit *= step;
	const rough = max / unit / 4;
	const power = 10 ** Math.floor(Math.log10(rough));
	const nice = [1, 2, 2.5, 5, 10].find((n) => n * power >= rough * 0.999) * power * unit;
	const out = [];
	for (let i = 0; (i - 1) * nice < max; i++) out.push(i * nice);
	return out;
}

/* A mark in the unit of the largest one, without zeros that say nothing. */
function markText(bytes, largest, mb) {
	const {number, unit} = f.amountParts(largest, mb);
	const value = bytes / (largest / Number(number));
	return bytes === 0 ? "0" : Number(value.toFixed(2)) + " " + unit;
}

const total = (point) => point.values[0] + point.values[1];

class Chart extends HTMLElement {
	#spec = null;
	#at = -1;
	#width = 0;
	#watch = null;

	set spec(spec) {
		this.#spec = spec;
		if (this.#at >= spec.points.length) this.#at = -1;
		this.#draw();
	}

	connectedCallback() {
		this.tabIndex = 0;
		this.setAttribute("role", "slider");
		this.setAttribute("aria-roledescription", "chart");
		this.#watch = new ResizeObserver(() => this.#resize());
		this.#watch.observe(this);
		this.onkeydown = (event) => this.#key(event);
		this.onpointermove = (event) => this.#pointer(event);
		this.onpointerdown = (event) => this.#pointer(event);
		this.onpointerleave = () => this.#move(-1);
		this.onblur = () => this.#move(-1);
		this.#resize();
	}

	disconnectedCallback() {
		this.#watch.disconnect();
	}

	#resize() {
		const width = this.clientWidth;
		if (width === this.#width) return;
		this.#width = width;
		this.#draw();
	}

	#key(event) {
		const last = this.#spec.points.length - 1;
		const from = this.#at < 0 ? this.#newest() : this.#at;
		const to = {ArrowLeft: from - 1, ArrowRight: from + 1, ArrowDown: from - 1, ArrowUp: from + 1, Home: 0, End: last, Escape: -1}[event.key];
		if (to === undefined) return;
		event.preventDefault();
		this.#move(event.key === "Escape" ? -1 : Math.max(0, Math.min(last, to)));
	}

	#newest() {
		const now = this.#spec.lines?.now;
		if (!now) return this.#spec.points.length - 1;
		const end = now.indexOf(null);
		return end < 0 ? now.length - 1 : Math.max(0, end - 1);
	}

	#pointer(event) {
		const {left, slot} = this.#scale();
		const at = Math.floor((event.clientX - this.getBoundingClientRect().left - left) / slot);
		this.#move(at >= 0 && at < this.#spec.points.length ? at : -1);
	}

	#move(at) {
		if (at === this.#at) return;
		this.#at = at;
		this.#draw();
		this.onread?.(at);
	}

	#scale() {
		const spec = this.#spec;
		const tops = spec.lines ? [...spec.lines.now, ...spec.lines.past].filter((v) => v !== null) : spec.points.map(total);
		const max = Math.max(0, ...tops);
		const limit = spec.limit && spec.limit <= max * 2.5 ? spec.limit : null; // one far away would flatten the rest
		const marks = ticks(Math.max(max, limit || 0) || (spec.mb || f.MB_BINARY), spec.mb);
		const name = (m) => markText(m, marks[marks.length - 1] || 1, spec.mb);
		const left = 12 + 6.2 * Math.max(...marks.map((m) => name(m).length));
		const height = this.clientHeight - PAD.top - PAD.bottom;
		const slot = Math.max(1, this.#width - left - PAD.right) / Math.max(1, spec.points.length);
		const top = marks[marks.length - 1] || 1;
		return {marks, name, left, slot, limit, height, y: (v) => PAD.top + height * (1 - v / top), right: this.#width - PAD.right};
	}

	#draw() {
		const spec = this.#spec;
		if (!spec || !this.isConnected || !this.#width) return;
		const s = this.#scale();
		this.#describe();
		draw(this, h("svg", {width: this.#width, height: this.clientHeight, "aria-hidden": "true"},
			this.#axes(s), this.#cursor(s), spec.lines ? this.#trend(s) : this.#bars(s), this.#limit(s)));
	}

	#describe() {
		const at = this.#at < 0 ? this.#newest() : this.#at;
		const point = this.#spec.points[at];
		this.setAttribute("aria-label", this.#spec.label);
		this.setAttribute("aria-valuemin", "1");
		this.setAttribute("aria-valuemax", String(Math.max(1, this.#spec.points.length)));
		this.setAttribute("aria-valuenow", String(at + 1));
		this.setAttribute("aria-valuetext", point ? point.title + ": " + f.amount(this.#spec.lines ? this.#spec.lines.now[at] : total(point), this.#spec.mb) : "no data");
	}

	#axes(s) {
		const points = this.#spec.points;
		const wide = 10 + 6 * Math.max(0, ...points.map((p) => p.name.length));
		const every = Math.max(1, Math.ceil(wide / s.slot));
		return h("g", null,
			s.marks.map((m) => {
				const y = Math.round(s.y(m)) + 0.5;
				return [h("line", {class: m === 0 ? "axis base" : "axis", x1: s.left, x2: s.right, y1: y, y2: y}),
					h("text", {x: s.left - 6, y: y + 3.5, "text-anchor": "end"}, s.name(m))];
			}),
			points.map((p, i) => (i % every === 0 && s.left + (i + 0.5) * s.slot + wide / 2 - 5 < s.right + PAD.right)
				? h("text", {x: s.left + (i + 0.5) * s.slot, y: this.clientHeight - 5, "text-anchor": "middle"}, p.name) : null));
	}

	#cursor(s) {
		return this.#at < 0 ? null : h("rect", {class: "cursor", x: s.left + this.#at * s.slot, width: s.slot, y: PAD.top, height: s.height});
	}

	#bars(s) {
		const gap = s.slot > 14 ? 3 : s.slot > 5 ? 1.5 : s.slot > 2.5 ? 0.6 : 0;
		const bar = (i, from, to, cls) => {
			const y = s.y(to), height = s.y(from) - y;
			return height < 0.05 ? null : h("rect", {class: cls, x: s.left + i * s.slot + gap / 2, width: Math.max(0.6, s.slot - gap), y, height});
		};
		return h("g", null, this.#spec.points.map((p, i) => {
			const open = p.open ? " open" : "";
			return [bar(i, 0, p.values[0], "series-1" + open), bar(i, p.values[0], total(p), "series-2" + open)];
		}));
	}

	#trend(s) {
		const {now, past} = this.#spec.lines;
		const x = (i) => s.left + (i + 0.5) * s.slot;
		const path = (values) => values.map((v, i) => (v === null ? "" : (i === 0 || values[i - 1] === null ? "M" : "L") + x(i).toFixed(1) + " " + s.y(v).toFixed(1))).join("");
		const known = now.filter((v) => v !== null).length;
		const at = this.#at >= 0 && now[this.#at] !== null ? this.#at : known - 1;
		return h("g", null,
			past.length > 0 && h("path", {class: "line-past", d: path(past)}),
			known > 1 && h("path", {class: "area-1", d: path(now) + "L" + x(known - 1).toFixed(1) + " " + s.y(0) + "L" + x(0).toFixed(1) + " " + s.y(0) + "Z"}),
			known > 0 && h("path", {class: "line-1", d: path(now)}),
			known > 0 && h("circle", {class: "dot", cx: x(at), cy: s.y(now[at]), r: 4}));
	}

	#limit(s) {
		if (!s.limit) return null;
		const y = s.y(s.limit);
		return h("g", null, h("line", {class: "limit", x1: s.left, x2: s.right, y1: y, y2: y}),
			h("text", {class: "limit-text", x: s.left + 4, y: y < 24 ? y + 13 : y - 5}, this.#spec.limitName || "limit"));
	}
}
customElements.define("weir-chart", Chart);

const key = (cls, name) => h("span", {class: "key " + cls}, h("i"), name);

/* The line below a chart: its key, or the values under the cursor. */
function readout(spec, at) {
	const point = spec.points[at];
	if (!point) {
		return spec.lines
			? [key("line", spec.nowName), spec.lines.past.length > 0 && key("past", spec.pastName), spec.limit && key("limit", (spec.limitName || "limit") + " " + f.amount(spec.limit, spec.mb))]
			: [key("down", "Down"), key("up", "Up"), spec.points.some((p) => p.open) && h("span", null, "paler: still open")];
	}
	if (spec.lines) {
		return [h("strong", null, point.title), key("line", [spec.nowName, " ", amount(spec.lines.now[at], spec.mb)]),
			spec.lines.past.length > at && key("past", [spec.pastName, " ", amount(spec.lines.past[at], spec.mb)])];
	}
	return [h("strong", null, point.title), key("down", ["Down ", amount(point.values[0], spec.mb)]), key("up", ["Up ", amount(point.values[1], spec.mb)]),
		h("span", null, "Total ", amount(total(point), spec.mb)), point.records !== undefined && h("span", null, f.count(point.records) + " records")];
}

/* Chart, readout and table. `at` and `onread` are the page's: which point is read. */
export function chart(spec, at, onread) {
	const columns = [{name: spec.pointName || "Window", lead: true, cell: (p) => p.title + (p.open ? " (open)" : "")},
		{name: "Down", number: true, cell: (p) => amount(p.values[0], spec.mb)}, {name: "Up", number: true, cell: (p) => amount(p.values[1], spec.mb)},
		{name: "Total", number: true, cell: (p) => amount(total(p), spec.mb)}, {name: "Records", number: true, cell: (p) => f.count(p.records)}];
	const rows = spec.points.filter((p) => p.known !== false);
	return h("figure", null,
		h("weir-chart", {".spec": spec, ".onread": onread}),
		h("figcaption", {class: "chart-read"}, readout(spec, at)),
		h("details", null, h("summary", null, "Show as a table"), table(spec.label, columns, [...rows].reverse(), {folds: false, key: (p) => p.title})));
}
