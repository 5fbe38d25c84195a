/* What codes are called for people. What is not listed shows as its code, so that a newer server needs no newer page. */
const readable = (code) => (code || "").replace(/_/g, " ").replace(/^./, (c) => c.toUpperCase());

/* [name, tone of its badge, what it means] */
const STATUSES = {
	testable: ["Testable", "info", "Traffic counts against the test quota, in no pool and against no limit."],
	inactive: ["Inactive", "off", "Silent until its first traffic, or an operator, activates it."],
	in_use: ["In use", "ok", "Activated; all rules hold."],
	suspended: ["Suspended", "bad", "At least one reason that the carrier enforces keeps it cut off."],
	partially_in_use: ["Partially in use", "warn", "Its sub-cards are in different states."],
	deactivated: ["Deactivated", "off", "Usage is counted and reported; no command is sent."],
	cancelled: ["Cancelled", "off", "Final. Usage is still counted and reported."],
	disabled: ["Disabled", "bad", "In arrears for longer than its retention period."],
	undefined: ["Undefined", "warn", "Cards name this pool; its definition has not arrived."],
};
export const status = (code) => {
	const [name, tone, means] = STATUSES[code] || [readable(code), "off", ""];
	return {name, tone, means};
};
export const CARD_STATUSES = ["testable", "inactive", "in_use", "suspended", "deactivated", "cancelled"];
export const POOL_STATUSES = ["in_use", "suspended", "disabled"];

/* [name, why it is raised, what clears it] */
const REASONS = {
	plan_exhausted: ["Plan used up", "The allowance of its plan and its add-ons is used up.", "An add-on, a larger plan, or the next cycle"],
	usage_limit: ["Usage limit", "Its usage in this cycle has reached its own usage limit.", "A higher limit or none, resume, or the next cycle if it restores by itself"],
	pool_exhausted: ["Pool used up", "Nothing remains of the pool's total.", "A pool add-on, more activated cards, or the next cycle"],
	pool_threshold: ["Pool threshold", "The pool's usage has reached the threshold at which it suspends.", "A higher threshold or none, or the next cycle"],
	pool_frozen: ["Pool frozen", "The pool's account is in arrears.", "Payment"],
	plan_expired: ["Plan expired", "The plan's term has ended.", "A renewal"],
	manual: ["By hand", "An operator suspended it.", "Resume"],
	device_change: ["Device changed", "It is used in another device than the one it is bound to.", "A rebind"],
	id_verification: ["Identity unverified", "Upstream says that its holder's identity is not verified.", "Upstream says verified"],
	violation: ["Violation", "Upstream or the carrier reports a violation of its terms.", "Upstream or the carrier; not by resume"],
	abnormal: ["Abnormal use", "Upstream or the carrier reports abnormal use.", "Upstream or the carrier; not by resume"],
	reset: ["Network reset", "A network reset is under way: suspended for 15 minutes.", "By itself"],
};
export const reason = (code) => {
	const [name, why, clears] = REASONS[code] || [readable(code), "", ""];
	return {name, why, clears};
};
export const REASON_CODES = Object.keys(REASONS);
export const POOL_REASONS = ["pool_exhausted", "pool_threshold", "pool_frozen"];
/* What an operator's resume clears (SUS-1). */
export const RESUMABLE = ["manual", "usage_limit"];

const KINDS = {
	single: ["Single", "An allowance of its own."],
	accumulative: ["Accumulative", "The total is the sum over its activated cards."],
	fixed: ["Fixed", "A total that was bought."],
	metered: ["Metered", "No total; billed by use."],
};
export const kind = (code) => {
	const [name, means] = KINDS[code] || [readable(code), ""];
	return {name, means};
};
export const POOL_KINDS = ["accumulative", "fixed", "metered"];

const STATES = {
	idle: ["Nothing under way", "off"], decided: ["Decided", "info"], queued: ["Queued", "info"], sent: ["Sent", "info"],
	accepted: ["Accepted", "info"], confirmed: ["Confirmed", "ok"], failed: ["Failed", "bad"], cleared: ["Cleared", "off"],
	request: ["Requested", "info"], refused: ["Refused", "bad"], reason: ["Reasons changed", "off"],
};
export const commandState = (code) => {
	const [name, tone] = STATES[code] || [readable(code), "off"];
	return {name, tone};
};

const CARRIERS = {cm: "China Mobile", cu: "China Unicom", ct: "China Telecom", al: "Virtual carrier"};
export const carrier = (id) => CARRIERS[id] || id || "–";

const ACTIONS = {
	suspend: "Suspend", resume: "Resume", limit: "Usage limit", addon: "Add-on", activate: "Activate", deactivate: "Deactivate",
	cancel: "Cancel", renew: "Renew", rebind: "Rebind device", reset: "Network reset", flag: "Flag", freeze: "Freeze", paid: "Mark as paid",
	enable: "Enable", release: "Release",
};
export const action = (code) => ACTIONS[code] || readable(code);
export {readable};
