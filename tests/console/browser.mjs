/* What the tests share: the small fleet's server, a browser of Debian's, and a page that is signed in. */
import {spawn} from "node:child_process";
import {once} from "node:events";
import {mkdirSync} from "node:fs";
import {createRequire} from "node:module";
import {cpus, loadavg} from "node:os";
import {dirname, join} from "node:path";
import {createInterface} from "node:readline";
import {fileURLToPath} from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const modules = createRequire((process.env.WEIR_CONSOLE_MODULES || here) + "/");
const {chromium} = modules("playwright-core");
export const AXE = modules.resolve("axe-core/axe.min.js");
export const NOW = new Date("2026-11-21T08:56:00Z");
export const SHOTS = process.env.WEIR_SCREENSHOTS || join(here, "..", "..", "build", "console-screenshots");
mkdirSync(SHOTS, {recursive: true});

export const SIZES = {desktop: {viewport: {width: 1280, height: 860}}, phone: {viewport: {width: 360, height: 740}, isMobile: true, hasTouch: true}};

/* A fresh server of the small fleet: {url, stop}. */
export async function fakeServer() {
	const child = spawn("/usr/bin/python3", [join(here, "fake_server.py")], {stdio: ["ignore", "pipe", "inherit"]});
	const [url] = await once(createInterface({input: child.stdout}), "line");
	return {url, stop: () => child.kill()};
}

export const launch = () => chromium.launch({executablePath: process.env.WEIR_CHROMIUM || "/usr/bin/chromium", args: ["--no-sandbox", "--disable-dev-shm-usage"]});

/* Contexts that pages share: a tab's sessionStorage is its own, and nothing else is kept. */
const shared = new Map();
async function contextFor(browser, how, alone) {
	const options = {...SIZES[how.size], colorScheme: how.scheme, timezoneId: "Europe/Berlin", locale: "en-GB", reducedMotion: "reduce", acceptDownloads: true, ...how.more};
	if (alone) return browser.newContext(options);
	const key = JSON.stringify(how);
	if (!shared.has(key)) shared.set(key, browser.newContext(options));
	return shared.get(key);
}

/*
 * A page; its context is shared with pages of the same kind, unless it is `alone` (nothing cached yet) or its clock runs. `trouble` collects what must not happen: errors of scripts, violations of the policy,
 * requests to elsewhere. clock: "fixed" = stands at NOW; "run" = the test moves it; null = the real one.
 */
export async function newPage(browser, base, {size = "desktop", scheme = "light", token = "operate-token", clock = "fixed", alone = false, ...more} = {}) {
	const own = alone || clock === "run";
	const context = await contextFor(browser, {size, scheme, clock, more}, own);
	const page = await context.newPage();
	page.end = () => (own ? context.close() : page.close());
	page.trouble = [];
	page.on("pageerror", (e) => page.trouble.push("script: " + e.stack));
	page.on("console", (m) => m.type() === "error" && !/^Failed to load resource/.test(m.text()) && page.trouble.push("console: " + m.text()));
	page.on("request", (r) => !r.url().startsWith(base) && !r.url().startsWith("blob:") && page.trouble.push("elsewhere: " + r.url()));
	if (clock === "fixed") await page.clock.setFixedTime(NOW);
	if (clock === "run") await page.clock.install({time: NOW});
	if (token) await page.addInitScript((t) => sessionStorage.setItem("weir.token", sessionStorage.getItem("weir.token") ?? t), token);
	await page.addInitScript(() => {
		window.shifts = [];
		new PerformanceObserver((list) => list.getEntries().forEach((e) => !e.hadRecentInput && window.shifts.push({value: e.value, what: e.sources.map((s) => s.node?.className || s.node?.nodeName).join(" ")})))
			.observe({type: "layout-shift", buffered: true});
	});
	return page;
}

/*
 * Usable within a second. A machine that is busy with other things is not the page's fault: what the page itself works, on the clock of
 * its own thread, is then at most a quarter of that. worked(page): call it before the page is opened; it returns what asks for the work.
 */
const USABLE_MS = 1000;
export const usable = (took, work) => took < USABLE_MS || (loadavg()[0] > cpus().length && work < USABLE_MS / 4);
export async function worked(page) {
	const devtools = await page.context().newCDPSession(page);
	await devtools.send("Performance.enable", {timeDomain: "threadTicks"});
	return async () => 1000 * (await devtools.send("Performance.getMetrics")).metrics.find((m) => m.name === "TaskDuration").value;
}

/* Until what was asked for is there: behind hashchange, which comes after the click that caused it, no bones, nothing under way. */
export async function settled(page) {
	await page.evaluate(() => new Promise((done) => setTimeout(done)));
	await page.waitForFunction(() => document.querySelector("h1") && !document.querySelector(".bone, .spin"));
}

export async function show(page, base, hash) {
	await page.goto(base + hash);
	await settled(page);
}
