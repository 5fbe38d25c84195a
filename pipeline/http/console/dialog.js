/*
 * Dialogs and passing words. A dialog is the browser's own modal <dialog>: it keeps the focus, Escape closes it, the page
 * behind it is inert, and focus returns to where it came from.
 */
import {h, draw} from "./dom.js";
import {icon} from "./parts.js";

let open = 0;
export const dialogIsOpen = () => open > 0;

/*
 * ask({title, body(state, update), confirm, danger, ready(state), run(state)}): resolves to what `run` returns, or undefined
 * when it was left. While `run` works the buttons are still; when it throws, the dialog stays and says why.
 */
export function ask(spec) {
	const back = document.activeElement;
	const el = document.createElement("dialog");
	const state = {...spec.state};
	let busy = false, problem = null, result;
	const update = (change) => {
		Object.assign(state, change);
		show();
	};
	async function confirm(event) {
		event.preventDefault();
		if (busy || (spec.ready && !spec.ready(state))) return;
		busy = true;
		problem = null;
		show();
		try {
			result = await spec.run(state);
			el.close();
		} catch (e) {
			problem = e;
		}
		busy = false;
		show();
	}
	function show() {
		draw(el, h("form", {onsubmit: confirm, novalidate: true},
			h("div", {class: "dialog-body"},
				h("h2", {id: "dialog-title"}, spec.title),
				spec.body(state, update),
				problem && h("div", {class: "callout bad", role: "alert"}, icon("alert"), h("div", {class: "grow"}, problem.message))),
			h("div", {class: "dialog-buttons"},
				h("button", {type: "button", onclick: () => el.close(), disabled: busy}, spec.cancel || "Cancel"),
				h("button", {class: spec.danger ? "primary danger" : "primary", disabled: busy || (spec.ready && !spec.ready(state))},
					busy ? "Sending…" : spec.confirm))));
	}
	el.setAttribute("aria-labelledby", "dialog-title");
	document.body.append(el);
	show();
	el.showModal();
	(el.querySelector("[autofocus], input, select, textarea") || el.querySelector("button")).focus();
	open++;
	el.addEventListener("keydown", (event) => event.key === "Tab" && turn(el, event));
	el.addEventListener("cancel", (event) => busy && event.preventDefault());
	return new Promise((resolve) => {
		el.onclose = () => {
			open--;
			el.remove();
			if (back?.isConnected) back.focus();
			resolve(result);
		};
	});
}

/* Tab goes round within the dialog instead of out to the browser's own bars. */
function turn(el, event) {
	const stops = [...el.querySelectorAll("button, input, select, textarea, a[href]")].filter((e) => !e.disabled);
	const [from, to] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
	if (document.activeElement !== from) return;
	event.preventDefault();
	to.focus();
}

const toasts = [];
let host = null;

function showToasts() {
	if (!host) {
		host = document.createElement("div");
		host.className = "toasts";
		host.setAttribute("role", "status");
		document.body.append(host);
	}
	draw(host, toasts.map((t) => h("div", {key: t.id, class: "toast " + (t.bad ? "bad" : "")},
		icon(t.bad ? "alert" : "check"), h("div", {class: "grow"}, t.words),
		h("button", {class: "quiet", "aria-label": "Dismiss", onclick: () => drop(t)}, "×"))));
}

function drop(toast) {
	const at = toasts.indexOf(toast);
	if (at >= 0) toasts.splice(at, 1);
	showToasts();
}

let ids = 0;
/* Says words in the corner and to screen readers. Returns a function that replaces them. */
export function say(words, bad) {
	const toast = {id: ++ids, words, bad};
	toasts.push(toast);
	let timer = setTimeout(() => drop(toast), bad ? 12000 : 7000);
	showToasts();
	return (more, isBad) => {
		toast.words = more;
		toast.bad = isBad;
		clearTimeout(timer);
		timer = setTimeout(() => drop(toast), isBad ? 12000 : 7000);
		if (!toasts.includes(toast)) toasts.push(toast);
		showToasts();
	};
}
