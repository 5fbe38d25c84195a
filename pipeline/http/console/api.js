/*
 * The HTTP API as the console uses it. The token lives in this tab's sessionStorage only and leaves it in the Authorization
 * header alone. Reads may be repeated; what changes something carries an idempotency key, so that a lost answer can be asked
 * for again without doing it twice.
 */
const KEY = "weir.token";
const TIMEOUT_MS = 15000;

/* The server's words are fragments; people read sentences. */
const sentence = (text) => text.replace(/^[a-z]/, (c) => c.toUpperCase()) + (/[.!?]$/.test(text) ? "" : ".");

export class Problem extends Error {
	constructor(status, body) {
		super(sentence(body.detail || body.title || "the server answered " + status));
		this.name = "Problem";
		this.status = status;
		this.code = (body.type || "").split(":").pop();
		this.parameter = body.parameter;
	}
}

let unauthorised = () => {};
/* Called when the server wants a token, or another one. */
export const onUnauthorised = (fn) => (unauthorised = fn);

export const token = {
	get: () => sessionStorage.getItem(KEY),
	set: (text) => sessionStorage.setItem(KEY, text),
	drop: () => sessionStorage.removeItem(KEY),
};

/* /v1/cards?reason=… : what is empty is left out. */
export function path(parts, params) {
	const query = new URLSearchParams();
	for (const name in params || {}) if (params[name] !== undefined && params[name] !== null && params[name] !== "") query.set(name, params[name]);
	const text = query.toString();
	return "v1/" + parts.map(encodeURIComponent).join("/") + (text ? "?" + text : "");
}

async function call(method, url, {body, key, signal, as} = {}) {
	const headers = {Accept: "application/json"};
	const held = token.get();
	if (held) headers.Authorization = "Bearer " + held;
	if (body !== undefined) headers["Content-Type"] = "application/json";
	if (key) headers["Idempotency-Key"] = key;
	const patience = AbortSignal.timeout(as ? 600000 : TIMEOUT_MS);
	let answer;
	try {
		answer = await fetch(url, {
			method, headers, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit",
			signal: signal ? AbortSignal.any([signal, patience]) : patience,
		});
	} catch (e) {
		if (signal?.aborted) throw e;
		throw new Problem(0, {detail: e.name === "TimeoutError" ? "The server took too long to answer." : "The server cannot be reached."});
	}
	if (!answer.ok) throw await problem(answer, Boolean(held));
	return as ? answer[as]() : answer.status === 204 ? null : answer.json();
}

async function problem(answer, held) {
	let body = {};
	try {
		body = await answer.json();
	} catch {
		// an answer of something in between; its status has to do
	}
	const out = new Problem(answer.status, body);
	if (answer.status === 401) unauthorised(held ? out.message : null);
	return out;
}

export const get = (url, signal) => call("GET", url, {signal});
export const text = (url, signal) => call("GET", url, {signal, as: "text"});
export const blob = (url, signal) => call("GET", url, {signal, as: "blob"});

export function newKey() {
	const bytes = crypto.getRandomValues(new Uint8Array(16));
	return "console-" + Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/* Sends a change; when no answer came it is asked for once more under the same key. */
export async function send(method, url, body) {
	const key = newKey();
	try {
		return await call(method, url, {body, key});
	} catch (e) {
		if (e.status !== 0) throw e;
		return call(method, url, {body, key});
	}
}

/* null when there is none (404): the caller has words for that. */
export async function getOrNull(url, signal) {
	try {
		return await get(url, signal);
	} catch (e) {
		if (e.status === 404) return null;
		throw e;
	}
}
