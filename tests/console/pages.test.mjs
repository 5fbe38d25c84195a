/*
 * The console's pages in a real browser, against the small fleet of fake_server.py: what each shows, that it can be used by
 * keyboard, on a phone and in the dark, what it weighs, and what it says when things go wrong.
 */
import assert from "node:assert/strict";
import {readFileSync, statSync} from "node:fs";
import {join} from "node:path";
import {after, afterEach, before, describe, test} from "node:test";
import {setTimeout as sleep} from "node:timers/promises";
import {AXE, SHOTS, fakeServer, launch, newPage, settled, show, usable, worked} from "./browser.mjs";

const CUT = "8986012026000000983S", PLAIN = "89860120260000000017", POOL = "cm-acc-001", SPARE = "89860020260000007950";
const PAGES = {
	fleet: "#/", pools: "#/pools", pool: "#/pools/" + POOL, "pool-days": "#/pools/" + POOL, cards: "#/cards?status=suspended", card: "#/cards/" + CUT, bulk: "#/bulk",
};
const WEIGHT_MAX = 200000, SHIFT_MAX = 0.02;

let server, browser, base;
const open = [];

before(async () => {
	server = await fakeServer();
	base = server.url;
	browser = await launch();
});
after(async () => {
	await browser?.close();
	server?.stop();
});
afterEach(async () => {
	for (const page of open.splice(0)) {
		const {trouble} = page;
		await page.end();
		assert.deepEqual(trouble, []);
	}
});

async function visit(hash, how) {
	const page = await newPage(browser, base, how);
	open.push(page);
	await show(page, base, hash);
	return page;
}

const text = (page, selector) => page.locator(selector).innerText();
const shifts = (page) => page.evaluate(() => window.shifts.reduce((sum, s) => sum + s.value, 0));
const press = async (page, ...keys) => {
	for (const key of keys) await page.keyboard.press(key);
};
const button = (page, name) => page.getByRole("button", {name, exact: true});
const dialog = (page) => page.getByRole("dialog");

async function axe(page, what = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]) {
	if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(readFileSync(AXE, "utf8")); // by the debugger: the page's own policy stays as it is
	const found = await page.evaluate((only) => window.axe.run(document, {runOnly: only}), what);
	return found.violations.map((v) => v.id + ": " + v.nodes.map((n) => n.target.join(" ") + " " + n.failureSummary).join("; "));
}

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

async function shoot(page, name) {
	await page.evaluate(() => document.activeElement?.blur());
	await page.screenshot({path: join(SHOTS, name + ".png")});
}

/* ---- how every page looks and weighs ---- */

describe("every page", () => {
	for (const size of ["desktop", "phone"]) for (const scheme of ["light", "dark"]) test(size + ", " + scheme + ": accessible, nothing overflows, screenshots", async () => {
		let page = await newPage(browser, base, {size, scheme});
		open.push(page);
		for (const [name, hash] of Object.entries(PAGES)) {
			await show(page, base, hash);
			if (name === "pool-days") {
				await button(page, "Days").click();
				await settled(page);
			}
			assert.deepEqual(await axe(page, scheme === "dark" ? ["color-contrast"] : undefined), [], name);
			assert.ok((await overflow(page)) <= 0, name + " is wider than the screen");
			await shoot(page, name + "-" + size + "-" + scheme);
		}
		page = await newPage(browser, base, {size, scheme, token: null});
		open.push(page);
		await page.goto(base);
		await page.getByLabel("Token").waitFor();
		assert.deepEqual(await axe(page), [], "sign-in");
		await shoot(page, "signin-" + size + "-" + scheme);
	});

	for (const [name, hash] of Object.entries(PAGES)) test(name + ": under 200 kB, usable within a second, nothing jumps", async () => {
		let page, took = Infinity, work = Infinity, weight;
		for (let attempt = 0; attempt < 5 && !usable(took, work); attempt++) {
			if (attempt) await sleep(1000);
			page = await newPage(browser, base, {clock: null, alone: true});
			open.push(page);
			const until = await worked(page);
			const sizes = [];
			page.on("response", (r) => sizes.push(r.body().then((b) => b.length, () => 0)));
			await page.goto(base + hash);
			await settled(page);
			took = await page.evaluate(() => performance.now());
			work = await until();
			weight = (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
		}
		console.log("%s: %d bytes uncompressed, usable after %d ms, %d ms of work, shifted by %s", name, weight, Math.round(took), Math.round(work), await shifts(page));
		assert.ok(weight < WEIGHT_MAX, weight + " bytes");
		assert.ok(usable(took, work), took + " ms, " + work + " ms of work");
		assert.ok((await shifts(page)) < SHIFT_MAX, JSON.stringify(await page.evaluate(() => window.shifts)));
		if (await button(page, "Refresh").count()) await button(page, "Refresh").click();
		await settled(page);
		assert.ok((await shifts(page)) < SHIFT_MAX, "after a refresh: " + JSON.stringify(await page.evaluate(() => window.shifts)));
	});

	test("answers of the server come with a policy that allows no inline script or style", async () => {
		const answer = await fetch(base);
		const policy = answer.headers.get("content-security-policy");
		assert.match(policy, /script-src 'self'/);
		assert.doesNotMatch(policy, /unsafe/);
		const page = await visit("#/");
		const ran = await page.evaluate(() => {
			try {
				document.body.insertAdjacentHTML("beforeend", "<i></i>");
				return true;
			} catch {
				return false;
			}
		});
		assert.equal(ran, false, "trusted types stop texts from becoming markup");
		page.trouble.length = 0;
	});
});

/* ---- sign-in ---- */

describe("sign-in", () => {
	test("by a token that stays in this tab's sessionStorage", async () => {
		const page = await newPage(browser, base, {token: null});
		open.push(page);
		await page.goto(base + "#/pools");
		await page.getByLabel("Token").fill("wrong");
		await press(page, "Enter");
		await page.getByText("This token is not known.").waitFor();
		assert.equal(await page.evaluate(() => sessionStorage.getItem("weir.token")), null);
		await page.getByLabel("Token").fill("operate-token");
		await press(page, "Enter");
		await settled(page);
		assert.equal(await text(page, "h1"), "Pools");
		assert.deepEqual(await page.evaluate(() => [sessionStorage.getItem("weir.token"), localStorage.length, document.cookie]), ["operate-token", 0, ""]);
		assert.ok(!page.url().includes("operate-token"));
		await page.getByRole("button", {name: "Sign out"}).click();
		await page.getByLabel("Token").waitFor();
		assert.equal(await page.evaluate(() => sessionStorage.getItem("weir.token")), null);
	});

	test("again when the token is no longer accepted, then back on the same page", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await page.route("**/v1/**", (route) => route.fulfill({status: 401, contentType: "application/problem+json", body: "{\"detail\":\"this token is not known\"}"}));
		await button(page, "Refresh").click();
		await page.getByText("The token is no longer accepted.").waitFor();
		await page.unroute("**/v1/**");
		await page.getByLabel("Token").fill("read-token");
		await press(page, "Enter");
		await settled(page);
		assert.equal(await text(page, "h1"), PLAIN);
	});

	test("a role that may only read sees no operations", async () => {
		const page = await visit("#/cards/" + CUT, {token: "read-token"});
		assert.equal(await page.getByRole("group", {name: "Operations"}).count(), 0);
		assert.equal(await page.getByRole("button", {name: /Edit/}).count(), 0);
		await show(page, base, "#/bulk");
		await page.getByText("Your token may read only.").waitFor();
	});
});

/* ---- what pages show ---- */

describe("fleet", () => {
	test("counts by status, reason and carrier lead to the cards; pools nearest to their limit come first", async () => {
		const page = await visit("#/");
		const shares = (await page.locator(".nearest .share").allInnerTexts()).map((t) => parseFloat(t));
		assert.equal(shares.length, 10);
		assert.deepEqual(shares, [...shares].sort((a, b) => b - a));
		assert.ok(shares[0] >= 100);
		await page.getByRole("link", {name: "Suspended"}).click();
		await settled(page);
		assert.match(page.url(), /#\/cards\?status=suspended$/);
		assert.deepEqual([...new Set(await page.locator("td.aside").allInnerTexts())], ["Suspended"]);
	});

	test("the rate of records is told after the second answer", async () => {
		const page = await visit("#/", {clock: "run"});
		await page.route("**/v1/fleet", async (route) => {
			const answer = await route.fetch();
			const body = await answer.json();
			await route.fulfill({json: {...body, records_read: body.records_read + 50000}});
		});
		await page.clock.runFor(11000);
		await page.getByText(/a second$/).waitFor();
	});
});

describe("pool", () => {
	test("rule POOL-6: shows all its fields", async () => {
		const page = await visit("#/pools/" + POOL);
		const answer = await (await fetch(base + "v1/pools/" + POOL, {headers: {Authorization: "Bearer read-token"}})).json();
		const facts = await text(page, "dl.facts");
		for (const name of ["Name", "Id", "Kind", "Status", "Plan", "Cards", "Total", "Used", "Remaining", "Batch numbers", "Cycle", "Cycle runs", "Changed"]) assert.match(facts, new RegExp("^" + name + "$", "m"), name);
		for (const value of [answer.id, answer.name, "Accumulative", "In use", answer.plan, answer.batches[0], "November 2026", "1 Nov 2026 00:00 – 30 Nov 2026 24:00", "in Asia/Shanghai"]) assert.ok(facts.includes(value), value);
		assert.ok(facts.includes(answer.cards + ", " + answer.effective_cards + " effective"));
		const used = page.locator("dl.facts data").nth(1);
		assert.equal(await used.getAttribute("value"), String(answer.used_bytes));
		assert.match(await used.getAttribute("title"), /bytes \(1 MB = 1,048,576 bytes\)$/);
	});

	test("hourly and daily charts, readable by keyboard and as a table that adds up", async () => {
		const page = await visit("#/pools/" + POOL);
		assert.equal(await page.locator("weir-chart rect.series-1").count() > 40, true);
		await button(page, "Days").click();
		await settled(page);
		const chart = page.getByRole("slider");
		await chart.focus();
		await press(page, "Home");
		await page.getByText("1 Oct 2026", {exact: true}).first().waitFor();
		await press(page, "ArrowRight");
		assert.match(await text(page, ".chart-read"), /^2 Oct 2026\s+Down\s+[\d.]+ [GM]B\s+Up\s+[\d.]+ [GM]B\s+Total [\d.]+ [GM]B\s+[\d,]+ records$/);
		assert.match(await chart.getAttribute("aria-valuetext"), /^2 Oct 2026: /);
		await page.getByText("Show as a table").click();
		const days = await page.locator("details table tbody tr").evaluateAll((rows) => rows.map((r) => [r.cells[0].innerText, Number(r.cells[3].querySelector("data").value)]));
		const now = days.filter(([day]) => day.includes("Nov")).reduce((sum, [, bytes]) => sum + bytes, 0);
		const answer = await (await fetch(base + "v1/pools/" + POOL, {headers: {Authorization: "Bearer read-token"}})).json();
		assert.equal(now, answer.used_bytes);
	});

	test("a pool that has run over says so in words", async () => {
		const page = await visit("#/pools?reason=pool_exhausted");
		await page.locator("td.lead a").first().click();
		await settled(page);
		await page.getByText("Nothing remains of the pool's total.").waitFor();
		assert.match(await text(page, ".figures"), /−[\d.]+ [GM]B/);
	});

	test("an overseas carrier's MB is 1,000,000 bytes", async () => {
		const page = await visit("#/pools?carrier=overseas");
		await page.locator("td.lead a").first().click();
		await settled(page);
		assert.match(await text(page, "dl.facts"), /1 MB\s+1,000,000 bytes/);
	});

	test("freeze and paid, each confirmed", async () => {
		const page = await visit("#/pools/ct-fix-008");
		await button(page, "Freeze…").click();
		await dialog(page).getByRole("button", {name: "Freeze"}).click();
		await page.getByText("Freeze: done.").waitFor();
		await page.getByText("The pool's account is in arrears.").waitFor();
		await button(page, "Mark as paid…").click();
		await dialog(page).getByRole("button", {name: "Mark as paid"}).click();
		await page.getByText("Mark as paid: done.").waitFor();
		await button(page, "Freeze…").waitFor();
	});
});

describe("card", () => {
	test("rule SUS-4, rule CMD-4: reasons in words incl. not enforced, operation records with overshoot", async () => {
		const page = await visit("#/cards/" + CUT);
		const reasons = await text(page, ".reasons");
		assert.match(reasons, /Plan used up/);
		assert.match(reasons, /Usage limit\s+Not enforced/);
		assert.match(reasons, /China Unicom cannot cut this card off for this reason/);
		const row = page.locator(".operations tbody tr").first();
		assert.equal(await row.locator("td").nth(6).innerText(), "7.00 MB");
		assert.match(await row.innerText(), /Confirmed\s+in 412 ms/);
		assert.match(await text(page, "dl.facts"), /27 Oct 2026 00:00 – 26 Nov 2026 24:00\s+in Asia\/Shanghai/);
		await page.getByText("Audit trail").click();
		assert.equal(await page.locator("details.audit tbody tr").count(), 5);
	});

	test("trend over this and the last cycle", async () => {
		const page = await visit("#/cards/" + CUT);
		assert.equal(await page.locator("path.line-1").count(), 1);
		assert.equal(await page.locator("path.line-past").count(), 1);
		assert.match(await text(page, ".chart-read"), /November 2026\s+October 2026\s+allowance 5\.25 GB/);
		await page.getByRole("slider").hover({position: {x: 120, y: 80}});
		assert.match(await text(page, ".chart-read"), /^Day \d+, \d+ (Oct|Nov)/);
		for (const view of ["Days", "Hours", "Cycles"]) {
			await button(page, view).click();
			await settled(page);
			assert.ok((await page.locator("weir-chart rect.series-1").count()) > 3, view);
		}
	});

	test("rule SUS-1: suspend and resume are asked for with a confirmation, and only then sent", async () => {
		const page = await visit("#/cards/" + PLAIN);
		const sent = [];
		page.on("request", (r) => r.method() === "POST" && sent.push([r.postDataJSON(), r.headers()["idempotency-key"]]));
		await button(page, "Suspend…").click();
		await dialog(page).getByRole("button", {name: "Cancel"}).click();
		assert.deepEqual(sent, []);
		await button(page, "Suspend…").click();
		await shoot(page, "dialog-desktop-light");
		await dialog(page).getByRole("button", {name: "Suspend"}).click();
		await page.getByText("Suspend: done.").waitFor();
		await page.getByText("An operator suspended it.").waitFor();
		assert.equal(await page.locator(".operations tbody tr").count(), 1);
		await button(page, "Resume…").click();
		await dialog(page).getByText("Clears: by hand.").waitFor();
		await dialog(page).getByRole("button", {name: "Resume"}).click();
		await page.getByText("No reason holds.").waitFor();
		assert.deepEqual(sent.map(([body]) => body), [{action: "suspend"}, {action: "resume"}]);
		assert.equal(new Set(sent.map(([, key]) => key)).size, 2);
		assert.ok(sent.every(([, key]) => /^console-[0-9a-f]{32}$/.test(key)));
	});

	test("rule SUS-1: a resume says which reasons stay", async () => {
		const page = await visit("#/cards/" + CUT);
		await button(page, "Resume…").click();
		await dialog(page).getByText("Clears: usage limit.").waitFor();
		await dialog(page).getByText("Stays cut off: plan used up, device changed.").waitFor();
		await press(page, "Escape");
		await dialog(page).waitFor({state: "detached"});
	});

	test("rule SUS-2: limits and volumes are typed with units; what is no amount is not sent", async () => {
		const page = await visit("#/cards/" + PLAIN);
		const sent = [];
		page.on("request", (r) => r.method() === "POST" && sent.push(r.postDataJSON()));
		await button(page, "Limit…").click();
		await dialog(page).getByLabel("New limit").fill("lots");
		await dialog(page).getByText("Must be a number with a unit").waitFor();
		assert.ok(await dialog(page).getByRole("button", {name: "Change limit"}).isDisabled());
		await dialog(page).getByLabel("New limit").fill("1 GB");
		await press(page, "Enter");
		await page.getByText("Usage limit: done.").waitFor();
		await page.locator(".reasons").getByText("has reached its own usage limit").waitFor();
		await button(page, "Limit…").click();
		await dialog(page).getByLabel("No limit of its own").check();
		await dialog(page).getByRole("button", {name: "Change limit"}).click();
		await page.getByText("No reason holds.").waitFor();
		await button(page, "Add volume…").click();
		await dialog(page).getByLabel("Volume").fill("512 MB");
		await press(page, "Enter");
		await page.getByText("Add-on: done.").waitFor();
		assert.deepEqual(sent, [{action: "limit", limit: 1073741824, auto_restore: true}, {action: "limit", limit: null, auto_restore: true}, {action: "addon", bytes: 536870912}]);
	});

	test("tags and remark", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await button(page, "Edit tags").click();
		await dialog(page).getByLabel("Tag 1").fill("north");
		await dialog(page).getByLabel("Tag 2").fill("泵站");
		await press(page, "Enter");
		await page.locator(".labels").getByRole("link", {name: "泵站"}).waitFor();
		await button(page, "Edit remark").click();
		await dialog(page).getByLabel("Remark").fill("Roof, <b>left</b>");
		await dialog(page).getByRole("button", {name: "Save"}).click();
		await page.getByText("Roof, <b>left</b>").waitFor();
	});

	test("what the server refuses is said in the dialog, which stays", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await page.route("**/requests", (route) => route.fulfill({status: 503, contentType: "application/problem+json", body: JSON.stringify({title: "Not available now", detail: "the request could not be handed over within ten seconds"})}));
		await button(page, "Suspend…").click();
		await dialog(page).getByRole("button", {name: "Suspend"}).click();
		await dialog(page).getByRole("alert").getByText("The request could not be handed over within ten seconds.").waitFor();
		assert.ok(await dialog(page).getByRole("button", {name: "Suspend"}).isEnabled());
	});

	test("an answer that got lost is asked for again under the same key", async () => {
		const page = await visit("#/cards/" + PLAIN);
		const keys = [];
		await page.route("**/requests", (route) => {
			keys.push(route.request().headers()["idempotency-key"]);
			return keys.length === 1 ? route.abort() : route.continue();
		});
		await button(page, "Network reset…").click();
		await dialog(page).getByRole("button", {name: "Reset"}).click();
		await page.getByText("Network reset: done.").waitFor();
		assert.equal(keys.length, 2);
		assert.equal(keys[0], keys[1]);
	});

	test("a request that weir refused is not called done", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await page.route("**/requests/*", (route) => route.fulfill({json: {id: "1", action: "cancel", state: "not_applied", reply: "no other device was seen since the card was bound (SUS-5)", reasons: null}}));
		await page.getByText("More", {exact: true}).click();
		await button(page, "Rebind device…").click();
		await dialog(page).getByRole("button", {name: "Rebind"}).click();
		await page.getByText("Rebind device: refused: no other device was seen since the card was bound (SUS-5).").waitFor();
	});
});

/* ---- finding ---- */

describe("finding", () => {
	test("an ICCID leads to its card, other words to pools", async () => {
		const page = await visit("#/");
		const find = page.getByPlaceholder("ICCID or pool");
		await find.fill(CUT.toLowerCase());
		await press(page, "Enter");
		await settled(page);
		assert.equal(await text(page, "h1"), CUT);
		await find.fill("elevators");
		await press(page, "Enter");
		await settled(page);
		assert.equal(await text(page, "h1"), "Pools");
		assert.ok((await page.locator("td.lead").allInnerTexts()).every((t) => t.startsWith("Elevators")));
		await find.fill("898611");
		await press(page, "Enter");
		await settled(page);
		assert.ok((await page.locator("td.lead a").allInnerTexts()).every((t) => t.startsWith("898611")));
	});

	test("cards by reason, page by page and back", async () => {
		const page = await visit("#/cards");
		const first = await page.locator("td.lead a").allInnerTexts();
		assert.equal(first.length, 40);
		await button(page, "Next").click();
		await page.getByText("Cards 41–80").waitFor();
		const second = await page.locator("td.lead a").allInnerTexts();
		assert.equal(first.filter((iccid) => second.includes(iccid)).length, 0);
		await button(page, "Previous").click();
		await page.getByText("Cards 1–40").waitFor();
		assert.deepEqual(await page.locator("td.lead a").allInnerTexts(), first);
		await page.getByLabel("Reason").selectOption("device_change");
		await button(page, "Search").click();
		await settled(page);
		assert.ok((await page.locator(".list-panel td:nth-child(3)").allInnerTexts()).every((t) => t.includes("Device changed")));
	});

	test("a search that finds little at a time is asked again until the page is full", async () => {
		const page = await newPage(browser, base, {});
		open.push(page);
		let asked = 0;
		await page.route("**/v1/cards?**", async (route) => {
			const url = new URL(route.request().url());
			asked++;
			if (asked % 2) return route.fulfill({json: {cards: [], looked_at: 1000, next: url.searchParams.get("cursor") || undefined || "MDpj"}});
			return route.continue();
		});
		await show(page, base, "#/cards?tag=meter");
		assert.ok((await page.locator("td.lead").count()) > 5);
		assert.equal(asked, 2);
	});

	test("export of what the filter finds", async () => {
		const page = await visit("#/cards?tag=meter");
		await button(page, "Export CSV…").click();
		await dialog(page).getByLabel("File name").fill("meters.csv");
		const coming = page.waitForEvent("download");
		await dialog(page).getByRole("button", {name: "Export"}).click();
		const download = await coming;
		assert.equal(download.suggestedFilename(), "meters.csv");
		const path = await download.path();
		assert.ok(statSync(path).size > 100);
		assert.match(readFileSync(path, "utf8"), /^iccid,status,used_bytes\n\w{20},/);
	});

	test("bulk: a list with a mistake is not sent; progress, and a result for each card", async () => {
		const page = await visit("#/bulk", {clock: "run"});
		await page.getByLabel("A list").check();
		await page.getByLabel("Operation").selectOption("suspend");
		await page.getByLabel("ICCIDs").fill("89860120260000000017, 12345");
		await page.getByText("1 are no ICCIDs, the first: 12345").waitFor();
		assert.ok(await button(page, "Review…").isDisabled());
		await page.getByLabel("ICCIDs").fill(SPARE + "\n89860000000000000000\n" + PLAIN);
		await button(page, "Review…").click();
		await dialog(page).getByText("Suspend 3 cards of a list?").waitFor();
		await dialog(page).getByRole("button", {name: "Suspend"}).click();
		await page.getByText("Finished").waitFor({timeout: 10000});
		assert.equal(await page.getByRole("progressbar").getAttribute("aria-valuenow"), "100");
		assert.deepEqual(await page.locator("td.aside").allInnerTexts(), ["Done", "No such card", "Done"]);
		await shoot(page, "bulk-job-desktop-light");
		assert.deepEqual(await axe(page), []);
		await show(page, base, "#/bulk");
		await page.getByRole("link", {name: "Suspend 3 cards of a list"}).waitFor();
	});
});

/* ---- keyboard ---- */

describe("keyboard", () => {
	const focused = (page) => page.evaluate(() => {
		const el = document.activeElement;
		const style = getComputedStyle(el);
		return {in: Boolean(el.closest("dialog")), body: el === document.body, name: el.innerText || el.getAttribute("aria-label") || el.id, ring: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2};
	});

	test("the skip link comes first, and everything that takes the focus shows it", async () => {
		const page = await visit("#/cards/" + CUT);
		await page.evaluate(() => document.activeElement.blur());
		const seen = [];
		for (let i = 0; i < 30; i++) {
			await press(page, "Tab");
			const at = await focused(page);
			if (at.body) break;
			assert.ok(at.ring, "no ring on " + at.name);
			seen.push(at.name.trim().split("\n")[0]);
		}
		assert.ok(seen.includes("Skip to the content"), seen.join(", "));
		for (const name of ["Fleet", "Cards", "find", "Refresh", "Resume…", "Suspend…", "Trend"]) assert.ok(seen.includes(name), name + " not in " + seen.join(", "));
	});

	test("a dialog keeps the focus, Escape closes it, the focus returns", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await button(page, "Limit…").focus();
		await press(page, "Enter");
		await dialog(page).waitFor();
		for (let i = 0; i < 14; i++) {
			await press(page, "Tab");
			const at = await focused(page);
			assert.ok(at.in, "focus left the dialog: " + at.name);
		}
		await press(page, "Escape");
		await dialog(page).waitFor({state: "detached"});
		assert.equal((await focused(page)).name, "Limit…");
	});

	test("a new page puts the focus on its heading and changes the title", async () => {
		const page = await visit("#/");
		await page.getByRole("link", {name: "Pools", exact: true}).focus();
		await press(page, "Enter");
		await settled(page);
		assert.equal((await focused(page)).name, "Pools");
		assert.equal(await page.title(), "Pools – weir");
	});

	test("a menu opens and closes by keyboard", async () => {
		const page = await visit("#/cards/" + PLAIN);
		await page.getByText("More", {exact: true}).focus();
		await press(page, "Enter");
		await button(page, "Deactivate…").waitFor();
		await press(page, "Escape");
		await button(page, "Deactivate…").waitFor({state: "hidden"});
	});
});

/* ---- refreshing and failing ---- */

describe("refreshing", () => {
	test("by itself every ten seconds, keeping focus and what is open; not while the box is unchecked", async () => {
		const page = await visit("#/cards/" + CUT, {clock: "run"});
		let asked = 0;
		page.on("request", (r) => r.url().endsWith("/v1/cards/" + CUT) && asked++);
		await page.getByText("Audit trail").click();
		await button(page, "Days").focus();
		await page.clock.runFor(11000);
		await page.waitForFunction(() => document.querySelector(".when").innerText !== "Updated 09:56:00");
		assert.equal(asked, 1);
		assert.ok(await page.locator("details.audit").evaluate((d) => d.open));
		assert.equal(await page.evaluate(() => document.activeElement.innerText), "Days");
		await page.getByLabel("Auto").uncheck();
		await page.clock.runFor(30000);
		assert.equal(asked, 1);
		await button(page, "Refresh").click();
		await settled(page);
		assert.equal(asked, 2);
	});

	test("a refresh that fails keeps what was there and says so", async () => {
		const page = await visit("#/");
		const before = await text(page, ".figures");
		await page.route("**/v1/fleet", (route) => route.fulfill({status: 503, contentType: "application/problem+json", body: "{\"detail\":\"the storage does not answer; try again\"}"}));
		await button(page, "Refresh").click();
		await page.getByText("Not refreshed.").waitFor();
		assert.equal(await text(page, ".figures"), before);
		await page.getByText("Not updated since 09:56:00").waitFor();
		await shoot(page, "error-desktop-light");
		await page.unroute("**/v1/fleet");
		await button(page, "Refresh").click();
		await page.getByText("Not refreshed.").waitFor({state: "detached"});
	});

	test("a first load that fails can be tried again; a server that is gone is called that", async () => {
		const page = await newPage(browser, base, {});
		open.push(page);
		await page.route("**/v1/pools?**", (route) => route.abort());
		await page.goto(base + "#/pools");
		await page.getByText("The server cannot be reached.").waitFor();
		await page.unroute("**/v1/pools?**");
		await button(page, "Try again").click();
		await page.locator("td.lead").first().waitFor();
	});

	test("one part that fails does not take the page along", async () => {
		const page = await newPage(browser, base, {});
		open.push(page);
		await page.route("**/usage?**", (route) => route.fulfill({status: 500, contentType: "application/problem+json", body: "{\"detail\":\"what is stored could not be read; the log says why\"}"}));
		await show(page, base, "#/cards/" + CUT);
		await page.locator(".chart-room").getByText("What is stored could not be read; the log says why.").waitFor();
		await page.getByText("Plan used up").first().waitFor();
	});

	test("what is not there: an unknown card, pool and address, an empty list", async () => {
		const page = await visit("#/cards/89860000000000000000");
		await page.getByText("There is no such card.").waitFor();
		await show(page, base, "#/pools/none");
		await page.getByText("There is no such pool.").waitFor();
		await show(page, base, "#/nowhere");
		await page.getByText("The address leads nowhere.").waitFor();
		await show(page, base, "#/pools?q=zzzz");
		await page.getByText("No pool matches this filter.").waitFor();
		assert.deepEqual(await axe(page), []);
	});

	test("texts from data stay texts", async () => {
		const page = await newPage(browser, base, {});
		open.push(page);
		const evil = "<img src=x onerror=alert(1)>";
		await page.route("**/v1/pools/" + POOL, async (route) => {
			const answer = await route.fetch();
			await route.fulfill({json: {...(await answer.json()), name: evil, plan: evil, batches: [evil]}});
		});
		await show(page, base, "#/pools/" + POOL);
		assert.equal(await text(page, "h1"), evil);
		assert.equal(await page.locator("main img").count(), 0);
	});
});
