/*
 * Lists that come page by page with a cursor. The page that is shown is kept in the address's query as a stack of cursors in
 * the page's own state, so that a refresh asks for the same page again.
 *
 * The server bounds its work: a page may hold fewer rows than asked for, even none, and still go on. Here it is asked again
 * until the page is full, the list has ended, or ROUNDS is reached; then the person decides whether to go on.
 */
import {h} from "./dom.js";
import * as api from "./api.js";

const ROUNDS = 40;
export const PAGE_ROWS = 40;

/* {rows, next}; parts = path, member = the list's name in the answer. */
export async function page(parts, member, params, cursor, signal, limit = PAGE_ROWS) {
	const out = {rows: [], next: cursor || null, looked: 0};
	for (let round = 0; round < ROUNDS; round++) {
		const answer = await api.get(api.path(parts, {...params, cursor: out.next, limit: limit - out.rows.length}), signal);
		out.rows.push(...answer[member]);
		out.next = answer.next || null;
		if (!out.next || out.rows.length >= limit) break;
	}
	return out;
}

/* Buttons below a list. ui.stack = cursors of the pages before this one; the top of it is this page's. */
export function pager(list, ui, set, reload, noun) {
	const stack = ui.stack || [];
	const move = (to) => {
		set({stack: to});
		reload();
	};
	const from = (ui.counts || []).slice(0, stack.length).reduce((a, b) => a + b, 0);
	const first = list.rows.length ? from + 1 : from;
	return h("div", {class: "foot-row"},
		h("span", {class: "muted small"}, stack.length || list.next ? noun + " " + first + "–" + (from + list.rows.length) : list.rows.length + " " + (list.rows.length === 1 ? noun.replace(/s$/, "") : noun).toLowerCase()),
		(stack.length > 0 || list.next) && h("nav", {class: "row", "aria-label": noun + " pages"},
			h("button", {type: "button", disabled: stack.length === 0, onclick: () => move(stack.slice(0, -1))}, "Previous"),
			h("button", {type: "button", disabled: !list.next, onclick: () => {
				set({counts: [...(ui.counts || []).slice(0, stack.length), list.rows.length]});
				move([...stack, list.next]);
			}}, list.rows.length ? "Next" : "Search on")));
}

export const cursorOf = (ui) => (ui.stack || [])[(ui.stack || []).length - 1] || "";
