/*
 * The console against weir itself: `weir run` counts, `weir serve` answers, a simulated carrier confirms. Started by
 * tests/e2e/test_console.py, which says where: WEIR_URL, tokens, and the fleet's cards.
 */
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {after, before, describe, test} from "node:test";
import {setTimeout as sleep} from "node:timers/promises";
import {launch, newPage, settled, show, usable, worked} from "./browser.mjs";

const base = process.env.WEIR_URL, OPERATE = process.env.WEIR_OPERATE, READ = process.env.WEIR_READ;
const CARD = process.env.WEIR_CARD, OTHER = process.env.WEIR_OTHER, POOL = "pool/one";
const WEIGHT_MAX = 200000;

let browser, page;
before(async () => {
	browser = await launch();
	page = await newPage(browser, base, {token: OPERATE, clock: null});
});
after(async () => {
	const trouble = page?.trouble;
	await browser?.close();
	assert.deepEqual(trouble, []);
});

const visit = (hash) => show(page, base, hash);
const button = (name) => page.getByRole("button", {name, exact: true});
const dialog = () => page.getByRole("dialog");

/* Asks again until the text is there: enforcement takes a moment. */
async function eventually(text, tries = 40) {
	for (let i = 0; i < tries; i++) {
		if (await page.getByText(text).first().isVisible()) return;
		await button("Refresh").click();
		await settled(page);
		await page.waitForTimeout(250);
	}
	assert.fail(text + " never came; there is: " + (await page.locator("main").innerText()).slice(0, 1500));
}

describe("weir's own answers", () => {
	for (const [name, hash] of Object.entries({fleet: "#/", pools: "#/pools", pool: "#/pools/" + encodeURIComponent(POOL), cards: "#/cards", card: "#/cards/" + CARD, bulk: "#/bulk"})) test(name + ": under 200 kB, usable within a second", async () => {
		let took = Infinity, work = Infinity, plain = 0, sent = 0;
		for (let attempt = 0; attempt < 5 && !usable(took, work); attempt++) {
			if (attempt) await sleep(1000);
			const fresh = await newPage(browser, base, {token: OPERATE, clock: null});
			const until = await worked(fresh), sizes = [];
			fresh.on("requestfinished", (r) => sizes.push(r.sizes().then((s) => s.responseBodySize)));
			fresh.on("response", (r) => sizes.push(r.body().then((b) => ((plain += b.length), 0), () => 0)));
			plain = 0;
			await show(fresh, base, hash);
			took = await fresh.evaluate(() => performance.now());
			work = await until();
			sent = (await Promise.all(sizes)).reduce((a, b) => a + b, 0);
			assert.deepEqual(fresh.trouble, []);
			await fresh.end();
		}
		console.log("%s: %d bytes, %d on the wire, usable after %d ms, %d ms of work", name, plain, sent, Math.round(took), Math.round(work));
		assert.ok(plain < WEIGHT_MAX && usable(took, work), plain + " bytes, " + took + " ms, " + work + " ms of work");
	});

	test("the policy allows no inline script or style, nothing from elsewhere, no frame", async () => {
		const answer = await fetch(base);
		const policy = answer.headers.get("content-security-policy");
		assert.match(policy, /default-src 'none'/);
		assert.match(policy, /frame-ancestors 'none'/);
		assert.doesNotMatch(policy, /unsafe|https?:|\*/);
		assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
	});

	test("rule POOL-6: a pool whose id has a slash, its chart and its members", async () => {
		await visit("#/pools?q=forward");
		await page.getByRole("link", {name: "Forward pool"}).click();
		await settled(page);
		await page.locator("h1", {hasText: "Forward pool"}).waitFor(); // its id until its name is here
		assert.equal(await page.locator("h1").innerText(), "Forward pool");
		const facts = await page.locator("dl.facts").innerText();
		for (const value of ["pool/one", "Accumulative", "In use", "China Mobile", "20, 20 effective", "B-1, B-2", "in Asia/Shanghai"]) assert.ok(facts.includes(value), value + " not in " + facts);
		assert.equal(await page.locator(".members tbody tr").count(), 20);
		await button("Cycles").click();
		await settled(page);
		assert.equal(await page.locator("weir-chart rect.series-1").count(), 1);
	});

	test("the fleet in numbers", async () => {
		await visit("#/");
		await eventually("61 looked at");
		assert.match(await page.locator(".fleet-grid").innerText(), /China Telecom · ct\s+41/);
		assert.ok((await page.locator(".nearest").innerText()).includes("Forward pool"));
	});

	test("rule SUS-1: suspend and resume reach the carrier and come back confirmed", async () => {
		await visit("#/cards/" + CARD);
		await button("Suspend…").click();
		await dialog().getByRole("button", {name: "Suspend"}).click();
		await page.getByText("Suspend: done").first().waitFor();
		await eventually("An operator suspended it.");
		await eventually("At the carrier: suspended");
		assert.match(await page.locator(".operations tbody tr").first().innerText(), /Suspend[^]*Confirmed[^]*By hand/);
		await button("Resume…").click();
		await dialog().getByRole("button", {name: "Resume"}).click();
		await page.getByText("Resume: done").first().waitFor();
		await eventually("No reason holds.");
		await page.getByText("Audit trail").click();
		assert.ok((await page.locator("details.audit tbody tr").count()) >= 4);
	});

	test("rule CMD-4: a limit below what was used cuts off, and the operation says by how much it was passed", async () => {
		await visit("#/cards/" + CARD);
		await button("Limit…").click();
		await dialog().getByLabel("New limit").fill("1 KB");
		await dialog().getByRole("button", {name: "Change limit"}).click();
		await page.getByText("Usage limit: done").first().waitFor();
		await eventually("has reached its own usage limit");
		await eventually("At the carrier: suspended");
		const row = page.locator(".operations tbody tr").first();
		assert.match(await row.innerText(), /Usage limit/);
		assert.equal(await row.locator("td").nth(3).locator("data").getAttribute("value"), "1024");
		assert.ok(Number(await row.locator("td").nth(6).locator("data").getAttribute("value")) > 0);
	});

	test("tags and remark are found again", async () => {
		await visit("#/cards/" + OTHER);
		await button("Edit tags").click();
		await dialog().getByLabel("Tag 1").fill("泵站");
		await dialog().getByRole("button", {name: "Save"}).click();
		await page.getByText("Tags: done").first().waitFor();
		await eventually("泵站");
		await button("Edit remark").click();
		await dialog().getByLabel("Remark").fill("call first");
		await dialog().getByRole("button", {name: "Save"}).click();
		await eventually("call first");
		await page.locator(".labels").getByRole("link", {name: "泵站"}).click();
		await settled(page);
		assert.deepEqual(await page.locator("td.lead a").allInnerTexts(), [OTHER]);
	});

	test("bulk: a result for each card", async () => {
		await visit("#/bulk");
		await page.getByLabel("A list").check();
		await page.getByLabel("Operation").selectOption("suspend");
		await page.getByLabel("ICCIDs").fill(OTHER + " 89860000000000009999");
		await button("Review…").click();
		await dialog().getByRole("button", {name: "Suspend"}).click();
		await page.getByText("Finished").waitFor({timeout: 30000});
		await settled(page);
		assert.deepEqual(await page.locator("td.aside").allInnerTexts(), ["Done", "No such card"]);
	});

	test("export of all cards", async () => {
		await visit("#/cards");
		await button("Export CSV…").click();
		const coming = page.waitForEvent("download");
		await dialog().getByRole("button", {name: "Export"}).click();
		const lines = readFileSync(await (await coming).path(), "utf8").trim().split("\n");
		assert.equal(lines.length, 62);
		assert.match(lines[0], /^iccid,/);
		await button("Export CSV…").click();
		await dialog().getByLabel("Days").check();
		const more = page.waitForEvent("download");
		await dialog().getByRole("button", {name: "Export"}).click();
		assert.ok(readFileSync(await (await more).path(), "utf8").split("\n").length > 60);
	});

	test("a token that may only read, and none at all", async () => {
		const other = await newPage(browser, base, {token: null, clock: null});
		await other.goto(base + "#/cards/" + CARD);
		await other.getByLabel("Token").fill(READ);
		await other.keyboard.press("Enter");
		await settled(other);
		assert.equal(await other.getByRole("button", {name: "Suspend…"}).count(), 0);
		await other.getByRole("button", {name: "Sign out"}).click();
		await other.getByLabel("Token").fill("nobody");
		await other.keyboard.press("Enter");
		await other.getByText("This token is not known.").waitFor();
		await other.end();
	});
});
