/* Numbers and times as people read them: pipeline/http/console/format.js needs no browser. */
import assert from "node:assert/strict";
import {readFileSync} from "node:fs";
import {test} from "node:test";

process.env.TZ = "Europe/Berlin";
/* A module by its content: Node.js 18 takes a file named .js for CommonJS, whatever it holds. */
const source = readFileSync(new URL("../../pipeline/http/console/format.js", import.meta.url));
const f = await import("data:text/javascript;base64," + source.toString("base64"));
const MIB = 1048576, GIB = 1024 * MIB;

test("amounts have three digits that count, in the carrier's MB", () => {
	assert.equal(f.amount(0), "0 B");
	assert.equal(f.amount(999), "999 B");
	assert.equal(f.amount(MIB), "1.00 MB");
	assert.equal(f.amount(MIB, 1000000), "1.05 MB");
	assert.equal(f.amount(1000000, 1000000), "1.00 MB");
	assert.equal(f.amount(5 * GIB + 437 * MIB), "5.43 GB");
	assert.equal(f.amount(-3 * GIB), "−3.00 GB");
	assert.equal(f.amount(1023.9 * MIB), "1.00 GB");
	assert.equal(f.amount(null), "–");
	assert.equal(f.amountExact(1234567, 1000000), "1,234,567 bytes (1 MB = 1,000,000 bytes)");
});

test("amounts to be compared have more digits", () => {
	assert.equal(f.amountFine(4 * GIB + 2 * MIB), "4,098 MB");
	assert.equal(f.amountFine(0), "0 B");
	assert.equal(f.amountFine(500), "500 B");
	assert.equal(f.amountFine(2 * MIB), "2,048 KB");
});

test("a share never says 100 % before it is", () => {
	assert.equal(f.percent(999999, 1000000), 99);
	assert.equal(f.percent(1000000, 1000000), 100);
	assert.equal(f.percent(1013, 1000), 101);
	assert.equal(f.percent(1, 1000), 0.1);
	assert.equal(f.percent(1, 0), null);
});

test("amounts that people type", () => {
	assert.equal(f.parseAmount("10 GB"), 10 * GIB);
	assert.equal(f.parseAmount("1.5g"), 1.5 * GIB);
	assert.equal(f.parseAmount("500MB", 1000000), 500000000);
	assert.equal(f.parseAmount("1048576"), MIB);
	for (const wrong of ["", "GB", "-1 GB", "1 GB 2", "1e9", "99999999999 PB"]) assert.equal(f.parseAmount(wrong), null, wrong);
});

test("rule CYC-2: a cycle is told in its carrier's zone, its end as 24:00", () => {
	assert.equal(f.span("2026-10-26T16:00:00Z", "2026-11-26T16:00:00Z", "Asia/Shanghai"), "27 Oct 2026 00:00 – 26 Nov 2026 24:00");
	assert.equal(f.span("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "Europe/Berlin"), "1 Oct 2026 00:00 – 31 Oct 2026 24:00");
	assert.equal(f.cycleName("2026-11"), "November 2026");
});

test("times are the viewer's, and say how long ago", () => {
	assert.equal(f.dateTime("2026-11-21T08:56:00Z"), "21 Nov 2026 09:56");
	assert.equal(f.dateTime("2026-07-21T08:56:00Z"), "21 Jul 2026 10:56");
	const now = Date.parse("2026-11-21T09:00:00Z");
	assert.equal(f.ago("2026-11-21T08:59:58Z", now), "just now");
	assert.equal(f.ago("2026-11-21T08:56:00Z", now), "4 min ago");
	assert.equal(f.ago(null, now), "never");
	assert.equal(f.duration(412), "412 ms");
	assert.equal(f.duration(1380), "1.4 s");
});
