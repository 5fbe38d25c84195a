/*
 * Lists that come page by page with a cursor. Which page is shown is kept as a stack of cursors in the page's own
 * state, so that a refresh asks for the same one again.
 *
 * The server bounds its work: a page may hold fewer rows than asked for, even none, and still go on. Here it is asked again
 * until the page is full, the list has ended, or ROUNDS is reached; then the person decides whether to go on.
 */
import {h} from "./dom.js";
import * as api from "./api.js";

const ROUNDS = 40;
export const PAGE_ROWS = 40;

/*
 * The page that ui says: {rows, next, depth, from}. parts = path, member = the list's name in the answer. ui.stack = cursors
 * of the pages before, the top of it is this page's; ui.counts = their rows.
 */
export async function page(parts, member, params, ui, signal, limit = PAGE_ROWS) {
	const stack = ui.stack || [];
	const out = {rows: [], next: stack[stack.length - 1] || null, depth: stack.length, from: (ui.counts || []).slice(0, stack.length).reduce((a, b) => a + b, 0)};
	for (let round = 0; round < ROUNDS; round++) {
		const answer = await api.get(api.path(parts, {...params, cursor: out.next, limit: limit - out.rows.length}), signal);
		out.rows.push(...answer[member]);
		out.next = answer.next || null;
		if (!out.next || out.rows.length >= limit) break;
	}
	return out;
}

const one = (noun, n) => (n === 1 ? noun.replace(/s$/, "") : noun).toLowerCase();

/* Words and buttons below a list; what they say is of the rows that are shown, also while others are on their way. */
export function pager(list, ui, set, reload, noun) {
	const stack = ui.stack || [];
	const waiting = stack.length !== list.depth;
	const rows = list.rows.length;
	const move = (to, counts) => {
		set({stack: to, counts});
		reload();
	};
	return h("div", {class: "foot-row"},
		h("span", {class: "muted small"}, list.depth || list.next ? noun + " " + (rows ? list.from + 1 : list.from) + "–" + (list.from + rows) : rows + " " + one(noun, rows)),
		(list.depth > 0 || list.next) && h("nav", {class: "row", "aria-label": noun + " pages"},
			h("button", {type: "button", disabled: waiting || stack.length === 0, onclick: () => move(stack.slice(0, -1), ui.counts)}, "Previous"),
			h("button", {type: "button", disabled: waiting || !list.next, onclick: () => move([...stack, list.next], [...(ui.counts || []).slice(0, stack.length), rows])}, rows ? "Next" : "Search on")));
}
