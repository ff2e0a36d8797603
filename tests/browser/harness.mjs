// What every browser test uses: a real Chromium against the running service and its sandbox. Every page is watched: nothing on the console,
// no policy violation, no foreign request, no token in an address.
//
//   BASE_URL      the service      (http://127.0.0.1:8787)
//   SANDBOX_URL   the sandbox      (http://127.0.0.1:8788)
//   CHROMIUM      the browser      (/usr/bin/chromium)

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after } from "node:test";
import { chromium } from "playwright-core";

export const baseUrl = process.env.BASE_URL ?? "http://127.0.0.1:8787";
export const sandboxUrl = process.env.SANDBOX_URL ?? "http://127.0.0.1:8788";

/** How long a condition may take to come true. Generous: the machine may be compiling. */
const PATIENCE_MS = 30_000;

export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

let launched;
const browser = () =>
  (launched ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS }));

const checkedStates = new Set();
after(async () => {
  await (await launched)?.close();
  if (checkedStates.size) console.log(`# axe checked ${checkedStates.size} states: ${[...checkedStates].join(", ")}`);
});

/** The sandbox's control API, by the path below /__sandbox/. */
export async function sandbox(path, init = {}) {
  const { body, ...rest } = init;
  const response = await fetch(`${sandboxUrl}/__sandbox/${path}`, {
    ...rest,
    ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return response.json();
}

/** Scripts a fault for the length of a test. Its marks must be the test's own: other tests run at the same time. */
export async function fault(t, description) {
  const { id } = await sandbox("faults", { method: "POST", body: description });
  // A fault that has been used up is gone already.
  const lift = () => sandbox(`faults/${id}`, { method: "DELETE" }).catch(() => {});
  t.after(lift);
  return lift;
}

/** Waits for something outside the page: asks until the answer is truthy. */
export async function eventually(what, ask) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() < until, `never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export const mailsTo = async (address) => (await sandbox(`mails?to=${encodeURIComponent(address)}`)).mails;

/** The latest mail to an address, of those whose text is like `what`. */
export const mailTo = (address, what = /./) =>
  eventually(`a mail to ${address} like ${what}`, async () => (await mailsTo(address)).findLast(({ text }) => what.test(text)));

const SIGNS_IN = /https?:\/\/\S+(\/magic\/#token=[^\s"<>]+)/;
const PROVES = /https?:\/\/\S+(\/proof\/#token=[^\s"<>]+)/;

/** Where the latest mailed link leads that signs in, or that proves the address. */
export const signInLink = async (address) => (await mailTo(address, SIGNS_IN)).text.match(SIGNS_IN)[1];
export const proofLink = async (address) => (await mailTo(address, PROVES)).text.match(PROVES)[1];

/** The code in a mail that asks for the proof of an address. */
export const codeIn = ({ text }) => text.match(/(?<![\w/.-])\d{6}(?!\w)/)[0];

/**
 * A fresh browser profile, watched until the test ends. `origin` is another service than the usual one, `guest` the origin of
 * somebody else that its pages may ask.
 */
export async function visitor(t, options = {}) {
  const { shifts = true, origin = baseUrl, guest = origin, ...rest } = options;
  const context = await (
    await browser()
  ).newContext({ baseURL: origin, locale: "en-GB", viewport: { width: 1280, height: 900 }, ...rest });
  context.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  const requests = [];
  context.on("request", (request) => requests.push(request));
  context.on("console", (message) => complaints.push(...complaintsOf(message)));
  context.on("weberror", (thrown) => complaints.push(String(thrown.error())));
  await context.exposeBinding("reportComplaint", (_, text) => complaints.push(text));
  await context.addInitScript(observe);
  t.after(async () => {
    const shifted = shifts ? await shiftsOf(context) : [];
    await context.close();
    assert.deepEqual(complaints, [], "console and policy");
    assert.deepEqual(
      requests.filter((r) => ![origin, guest, "data:"].some((known) => r.url().startsWith(known))).map((r) => r.url()),
      [],
      "foreign requests",
    );
    assert.deepEqual(
      requests.filter((r) => /token=|eyJ/.test(r.url().split("#")[0])).map((r) => r.url()),
      [],
      "tokens in addresses",
    );
    assert.deepEqual(shifted, [], "layout shifts");
  });
  return { context, requests };
}

/** A page of a fresh profile, opened at the form. */
export async function open(t, options = {}) {
  const { path = "/", ...rest } = options;
  const { context, requests } = await visitor(t, rest);
  const page = await context.newPage();
  await visit(page, path);
  return Object.assign(page, { sent: (part) => requests.filter((r) => r.url().includes(part)) });
}

export async function visit(page, path = "/") {
  await page.goto(path);
  await ready(page);
}

export const ready = (page) => page.waitForSelector("html[data-ready]");

/** Chromium itself notes refused and broken requests on the console; those are what many tests are about. */
const complaintsOf = (message) =>
  ["error", "warning"].includes(message.type()) && !message.text().startsWith("Failed to load resource:") ? [message.text()] : [];

function observe() {
  document.addEventListener("securitypolicyviolation", (event) =>
    window.reportComplaint(`${event.violatedDirective}: ${event.blockedURI}`),
  );
  window.shifts = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (!entry.hadRecentInput)
        window.shifts.push({
          value: entry.value,
          nodes: entry.sources.map(({ node }) => node?.id || node?.className || node?.nodeName),
        });
    }
  }).observe({ type: "layout-shift", buffered: true });
}

/** Shifts that a person would notice, on any page still open. Half a hundredth is a caption growing by a word. */
async function shiftsOf(context) {
  const perPage = await Promise.all(context.pages().map((page) => page.evaluate(() => window.shifts ?? []).catch(() => [])));
  return perPage.flat().filter(({ value }) => value > 0.005);
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What sticks out of the window on the right, outermost first. */
const stickingOut = () =>
  [...document.querySelectorAll("main, main *")]
    .filter((node) => node.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map((node) => node.id || node.className || node.nodeName);

/** Checks the page as it stands with axe, and that nothing is wider than the window. */
export async function accessible(page, state) {
  // Colours on their way from one to the other would be measured half way.
  await page.evaluate(() =>
    Promise.all(
      document
        .getAnimations()
        .filter((a) => a instanceof CSSTransition)
        .map((a) => a.finished.catch(() => {})),
    ),
  );
  if (!(await page.evaluate(() => Boolean(window.axe)))) await page.evaluate(axeSource);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  assert.deepEqual(
    violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html} ${any[0]?.message ?? ""}`).join(" | ")}`),
    [],
    `axe: ${state}`,
  );
  assert.deepEqual(await page.evaluate(stickingOut), [], `${state} is wider than the window`);
  checkedStates.add(state);
}

/** Gives one answer in the server's place to the next calls of a path: for states it can't easily be put in. */
export async function answer(page, path, { times = 1, status, headers = {}, code, ...error }) {
  await page.route(
    (url) => url.pathname === path,
    (route) =>
      route.fulfill({
        status,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify({ success: false, error: { code, message: code, requestId: "req_test", ...error } }),
      }),
    { times },
  );
}

/** What stands in a page, by the key of its words. */
export function saidIn(name) {
  const html = readFileSync(new URL(`../../public/${name}`, import.meta.url), "utf8");
  const attributes = [...html.matchAll(/data-ta="([^":]+):([^"]+)"/g)].map(([whole, attribute, key]) => {
    const tag = html.slice(html.lastIndexOf("<", html.indexOf(whole)), html.indexOf(whole));
    return [key, tag.match(new RegExp(`${attribute}="([^"]*)"`))[1]];
  });
  return [...[...html.matchAll(/data-t="([^"]+)"[^>]*>([^<]*)</g)].map(([, key, text]) => [key, text]), ...attributes];
}
