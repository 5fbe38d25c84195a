/* Parts of pages: icons, badges, usage bars, figures, tables, and the states that a page can be in. */
import {h} from "./dom.js";
import * as f from "./format.js";
import * as words from "./words.js";

const PATHS = {
	refresh: "M13.5 8a5.5 5.5 0 1 1-1.6-3.9M13.5 1.5v3h-3",
	search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10Zm3.6-1.4L14 14",
	alert: "M8 1.8 15 14H1L8 1.8ZM8 6.5v3.2M8 11.7v.1",
	check: "M2.5 8.5 6.3 12l7.2-8",
	stop: "M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13ZM3.5 3.5l9 9",
	out: "M6.5 2H3v12h3.5M7 8h7m-2.8-3L14 8l-2.8 3",
	down: "M8 2v8.5M4.5 7 8 10.5 11.5 7M2.5 13.5h11",
	copy: "M5.5 5.5v-3h8v8h-3m-8-5h8v8h-8v-8Z",
};
export const icon = (name) => h("svg", {viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true"},
	h("path", {d: PATHS[name], fill: "none", stroke: "currentColor", "stroke-width": 1.6, "stroke-linecap": "round", "stroke-linejoin": "round"}));

/* ---- words ---- */
export const badge = (name, tone, title) => h("span", {class: "badge " + tone, title}, name);

export function statusBadge(code) {
	const s = words.status(code);
	return badge(s.name, s.tone, s.means);
}

export function reasonBadges(reasons, notEnforced) {
	if (!reasons?.length) return h("span", {class: "muted"}, "–");
	return h("span", {class: "badges"}, reasons.map((code) => {
		const off = (notEnforced || []).includes(code);
		const r = words.reason(code);
		return badge(r.name + (off ? " (not enforced)" : ""), off ? "warn" : "bad", r.why);
	}));
}

/* ---- amounts and times ---- */
export const amount = (bytes, mb) =>
	bytes === null || bytes === undefined ? h("span", {class: "muted"}, "–") : h("data", {class: "nowrap", value: String(bytes), title: f.amountExact(bytes, mb)}, f.amount(bytes, mb));

/* The same with more digits, for numbers that are to be compared. */
export const amountFine = (bytes, mb) =>
	bytes === null || bytes === undefined ? h("span", {class: "muted"}, "–") : h("data", {class: "nowrap", value: String(bytes), title: f.amountExact(bytes, mb)}, f.amountFine(bytes, mb));

export const time = (iso, how = f.dateTime) =>
	iso ? h("time", {class: "nowrap", datetime: iso, title: f.timeExact(iso)}, how(iso)) : h("span", {class: "muted"}, "–");

export const poolPath = (id) => "#/pools/" + encodeURIComponent(id);
export const cardPath = (iccid) => "#/cards/" + encodeURIComponent(iccid);
export const cardLink = (iccid) => h("a", {class: "mono", href: cardPath(iccid)}, iccid);
export const poolLink = (id, name) => h("a", {href: poolPath(id)}, name || id);

/* Path of the card search with a filter. */
export const searchPath = (params) => "#/cards?" + new URLSearchParams(params);

/* ---- usage ---- */
export const meterTone = (share) => (share >= 100 ? "bad" : share >= 90 ? "warn" : "");

export function meter(used, total, mb, label, large) {
	const share = f.percent(used, total);
	if (share === null) return null;
	return h("div", {
		class: "meter " + meterTone(share) + (large ? " large" : ""), role: "meter", "aria-label": label || "Usage", "aria-valuemin": 0, "aria-valuemax": 100,
		"aria-valuenow": Math.min(100, share), "aria-valuetext": share + " %, " + f.amount(used, mb) + " of " + f.amount(total, mb),
		title: share + " %",
	}, h("span", {style: {"--part": Math.min(100, share) + "%"}}));
}

/* A table's cell: bar, percent, words below. total null: there is nothing to fill. */
export function usageCell(used, total, mb, label) {
	const share = total === null || total === undefined ? null : f.percent(used, total);
	const text = h("span", {class: "text"}, amount(used, mb), share === null ? "" : [" of ", amount(total, mb)]);
	if (share === null) return h("div", {class: "usage-cell"}, text);
	return h("div", {class: "usage-cell"}, meter(used, total, mb, label), h("span", {class: "share " + meterTone(share)}, share + " %"), text);
}

/* ---- figures, panels, facts ---- */
export const figure = (name, value, hint, title) => h("div", {class: "figure"},
	h("dt", null, name), h("dd", {title}, value, h("div", {class: "hint"}, hint || " ")));

export function figureAmount(bytes, mb) {
	if (bytes === null || bytes === undefined) return "–";
	const parts = f.amountParts(bytes, mb);
	return h("data", {value: String(bytes), title: f.amountExact(bytes, mb)}, parts.number, h("small", null, " " + parts.unit));
}

export function panel(title, {extra, note, class: cls, id} = {}, ...body) {
	const name = id || "panel-" + title.toLowerCase().replace(/[^a-z]+/g, "-");
	return h("section", {class: "panel " + (cls || ""), "aria-labelledby": name, key: name},
		h("div", {class: "panel-head"}, h("h2", {id: name, class: "grow"}, title, note && h("span", {class: "note"}, " " + note)), extra), body);
}

export const facts = (rows) => h("dl", {class: "facts"}, rows.filter(Boolean).flatMap(([name, value]) => [h("dt", null, name), h("dd", null, value)]));

/* ---- tables: columns are {name, cell(row), number}; on a phone lead and aside are the first line, wide takes a whole one ---- */
export function table(caption, columns, rows, {key, folds = true} = {}) {
	return h("div", {class: "table-box", tabindex: folds ? null : 0, role: folds ? null : "region", "aria-label": folds ? null : caption},
		h("table", {class: folds ? "folds" : ""},
			h("caption", {class: "visually-hidden"}, caption),
			h("thead", null, h("tr", null, columns.map((c) => h("th", {scope: "col", class: c.number ? "number" : null}, c.name)))),
			h("tbody", null, rows.map((row, i) => h("tr", {key: key ? key(row) : i}, columns.map((c) => {
				const value = c.cell(row);
				const none = value === null || value === undefined || value === "";
				return h("td", {"data-label": c.name, class: [c.number && "number", c.lead && "lead", c.aside && "aside", c.wide && "wide", none && "none"].filter(Boolean).join(" ") || null}, none ? "" : value);
			}))))));
}

/* ---- states ---- */
export const empty = (title, text, more) => h("div", {class: "empty"}, h("strong", null, title), text, more && h("div", null, more));

export const callout = (tone, ...body) => h("div", {class: "callout " + tone, role: tone === "bad" ? "alert" : null},
	icon(tone === "ok" ? "check" : "alert"), h("div", {class: "grow"}, body));

export const bone = (width, height) => h("span", {class: "bone", style: {width: width || "100%", height: (height || 16) + "px"}});
export const bones = (lines, height) => h("div", {class: "stack", "aria-hidden": "true"}, Array.from({length: lines}, (_, i) => bone(100 - (i % 3) * 12 + "%", height)));

/* ---- forms ---- */

export function select(label, name, options, value, onchange) {
	return h("div", {class: "field"}, h("label", {for: "f-" + name}, label),
		h("select", {id: "f-" + name, name, onchange, value: value || ""}, options.map(([code, text]) => h("option", {value: code}, text))));
}

export function input(label, name, props, help, wrong) {
	const id = "f-" + name;
	const about = [help && id + "-help", wrong && id + "-wrong"].filter(Boolean).join(" ");
	return h("div", {class: "field"}, h("label", {for: id}, label),
		h(props?.rows ? "textarea" : "input", {id, name, autocomplete: "off", spellcheck: "false", "aria-invalid": wrong ? "true" : null, "aria-describedby": about || null, ...props}),
		help && h("span", {class: "help", id: id + "-help"}, help), wrong && h("span", {class: "wrong", id: id + "-wrong"}, wrong));
}

export function segments(label, options, value, onpick) {
	return h("div", {class: "segments", role: "group", "aria-label": label}, options.map(([code, name]) =>
		h("button", {type: "button", key: code, "aria-pressed": String(code === value), onclick: () => onpick(code)}, name)));
}
