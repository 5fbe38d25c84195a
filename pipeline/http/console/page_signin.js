/* Sign-in by token, shown whenever the server wants one. */
import {h} from "./dom.js";
import {callout, input} from "./parts.js";

export function signIn({busy, problem, draft, onDraft, onSubmit}) {
	const submit = (event) => {
		event.preventDefault();
		if (draft.trim()) onSubmit(draft.trim());
	};
	return h("main", {class: "sign-in", id: "main"},
		h("div", {class: "panel"},
			h("img", {src: "icon.svg", alt: "", width: 40, height: 40}),
			h("h1", {tabindex: -1}, "Sign in to weir"),
			h("p", {class: "muted"}, "With a token that an administrator gave you. It is kept in this tab only and forgotten when the tab is closed."),
			problem && callout("bad", problem),
			h("form", {class: "form", onsubmit: submit, novalidate: true},
				input("Token", "token", {type: "password", value: draft, autocomplete: "current-password", autofocus: true, oninput: (e) => onDraft(e.target.value)}),
				h("button", {class: "primary", disabled: busy || !draft.trim()}, busy ? "Signing in…" : "Sign in"))));
}
