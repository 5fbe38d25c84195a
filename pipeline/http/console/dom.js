/*
 * A small virtual DOM: pages say what they want to be seen, draw() changes only what differs.
 *
 * So a refresh keeps focus, selection, open details and scroll positions, and nothing jumps. Texts always become text
 * nodes: there is no way from data to markup here. Styles are set through CSSOM, which a policy without 'unsafe-inline'
 * allows.
 *
 * h("a", {href: "#/", key: "x"}, children…): children are nodes, texts, numbers, arrays; null, undefined, true and false are
 * left out. Properties: on… = listeners, `style` = an object of CSS properties, `.name` = a property of the element (set when
 * it changes), `value`, `checked` = likewise; everything else is an attribute, false and null take it away.
 */
const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props, ...children) {
	return {tag, props: props || {}, key: props?.key, children: flat(children, []), el: null};
}

function flat(children, out) {
	for (const child of children) {
		if (Array.isArray(child)) flat(child, out);
		else if (child === null || child === undefined || child === true || child === false) continue;
		else if (typeof child === "object") out.push(child);
		else out.push({tag: null, text: String(child), key: undefined, el: null});
	}
	return out;
}

const drawn = new WeakMap(); // host element -> nodes that it shows

/* Makes `host` show `nodes` and nothing else. */
export function draw(host, ...nodes) {
	const next = flat(nodes, []);
	if (!drawn.has(host)) host.replaceChildren();
	reconcile(host, drawn.get(host) || [], next);
	drawn.set(host, next);
}

function create(node, svg) {
	if (node.tag === null) return (node.el = document.createTextNode(node.text));
	const inSvg = svg || node.tag === "svg";
	const el = (node.el = inSvg ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag));
	for (const child of node.children) el.append(create(child, inSvg));
	for (const name in node.props) set(el, name, undefined, node.props[name]); // after the children: a select's value
	return el;
}

function update(old, node) {
	const el = (node.el = old.el);
	if (node.tag === null) {
		if (old.text !== node.text) el.data = node.text;
		return;
	}
	reconcile(el, old.children, node.children);
	for (const name in old.props) if (!(name in node.props)) set(el, name, old.props[name], undefined);
	for (const name in node.props) set(el, name, old.props[name], node.props[name]);
}

function set(el, name, old, value) {
	if (old === value || name === "key") return;
	if (name.startsWith("on")) el[name] = value || null;
	else if (name[0] === ".") el[name.slice(1)] = value;
	else if (name === "value" || name === "checked") el[name] = value ?? "";
	else if (name === "style") style(el, old || {}, value || {});
	else if (value === false || value === null || value === undefined) el.removeAttribute(name);
	else el.setAttribute(name, value === true ? "" : value);
}

function style(el, old, value) {
	for (const name in old) if (!(name in value)) el.style.removeProperty(name);
	for (const name in value) if (old[name] !== value[name]) el.style.setProperty(name, value[name]);
}

const same = (a, b) => a.tag === b.tag && a.key === b.key;

/* Old nodes are found again by key, those without one in their order. */
function reconcile(parent, olds, news) {
	const keyed = new Map();
	const plain = [];
	for (const old of olds) old.key === undefined ? plain.push(old) : keyed.set(old.key, old);
	let at = 0;
	const svg = parent.namespaceURI === SVG;
	const kept = news.map((node) => {
		const old = node.key === undefined ? plain[at++] : keyed.get(node.key);
		if (old && same(old, node)) {
			if (node.key !== undefined) keyed.delete(node.key);
			return old;
		}
		if (old && node.key === undefined) old.el.remove();
		return null;
	});
	for (; at < plain.length; at++) plain[at].el.remove();
	for (const old of keyed.values()) old.el.remove();
	let place = parent.firstChild;
	news.forEach((node, i) => {
		if (kept[i]) update(kept[i], node);
		else create(node, svg);
		if (node.el === place) place = place.nextSibling;
		else parent.insertBefore(node.el, place);
	});
}
