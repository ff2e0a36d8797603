// How mails look: each of them, in both languages, on narrow and wide screens, light and dark. They are the previews of the sandbox's
// page, which a host test holds equal to what the service writes. With SHOTS=<folder> their pictures are kept there.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { accessible, sandboxUrl, visitor } from "./harness.mjs";

const previews = JSON.parse(readFileSync(new URL("../../scripts/sandbox/previews.json", import.meta.url), "utf8"));
const shots = process.env.SHOTS;
if (shots) mkdirSync(shots, { recursive: true });

const SCREENS = {
  "320-light": { viewport: { width: 320, height: 640 } },
  "320-dark": { viewport: { width: 320, height: 640 }, colorScheme: "dark" },
  "1280-light": { viewport: { width: 1280, height: 900 } },
  "1280-dark": { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
};

/** By how much the page is wider than the window. */
const tooWide = () => document.documentElement.scrollWidth - document.documentElement.clientWidth;

/** The colours that fill the page and its paper. */
const grounds = () =>
  [".page", ".sheet"].map((piece) => getComputedStyle(document.querySelector(piece)).backgroundColor);

for (const [screen, options] of Object.entries(SCREENS)) {
  test(`every mail fits and reads: ${screen}`, async (t) => {
    const { context } = await visitor(t, { ...options, shifts: false });
    const page = await context.newPage();
    for (const { id, html } of previews) {
      await page.setContent(html);
      await accessible(page, `${id} (${screen})`);
      assert.ok((await page.evaluate(tooWide)) <= 0, `${id} scrolls sideways`);
      const [ground, paper] = await page.evaluate(grounds);
      const dark = screen.endsWith("dark");
      assert.deepEqual([ground, paper], dark ? ["rgb(15, 21, 19)", "rgb(24, 32, 29)"] : ["rgb(246, 245, 240)", "rgb(255, 255, 255)"]);
      if (shots) await page.screenshot({ path: join(shots, `${id}-${screen}.png`), fullPage: true });
    }
  });
}

test("a reader's own large font breaks no mail", async (t) => {
  const { context } = await visitor(t, { viewport: { width: 640, height: 900 }, shifts: false });
  const page = await context.newPage();
  for (const { id, html } of previews) {
    await page.setContent(html.replaceAll(/font-size:(\d+)px/g, (_, size) => `font-size:${2 * size}px`));
    const wide = await page.evaluate(tooWide);
    assert.ok(wide <= 0, `${id} scrolls sideways by ${wide}`);
  }
});

test("without style sheets a mail reads in its order, and its link is there in full", async (t) => {
  const { context } = await visitor(t, { shifts: false });
  const page = await context.newPage();
  for (const { id, html, text } of previews) {
    await page.setContent(html.replaceAll(/<style>.*?<\/style>| style="[^"]*"/g, ""));
    const link = text.match(/https:\/\/\S+\/magic\/#token=\S+/)?.[0];
    if (link) assert.ok((await page.textContent("body")).includes(link), id);
    assert.equal(await page.locator("img, table, script, form, iframe").count(), 0, id);
  }
});

test("the sandbox shows every mail, in both languages, light and dark, in a frame where nothing runs", async (t) => {
  const { context } = await visitor(t, { origin: sandboxUrl, shifts: false });
  const page = await context.newPage();
  await page.goto("/");
  const mails = new Set(previews.map(({ mail }) => mail));
  await page.waitForSelector("#preview iframe");
  assert.equal(await page.locator("#preview-mail option").count(), mails.size);
  for (const [mail, language] of [["confirm_address", "de"], ["welcome-pro", "en"], ["security-address_changed", "de"]]) {
    await page.selectOption("#preview-mail", mail);
    await page.selectOption("#preview-language", language);
    const wanted = previews.find((one) => one.mail === mail && one.language === language);
    const frame = page.frameLocator("#preview iframe");
    assert.equal(await frame.locator("html").getAttribute("lang"), language);
    assert.equal(await page.textContent("#preview h3"), wanted.subject);
    assert.equal(await page.textContent("#preview pre"), wanted.text);
    assert.doesNotMatch(await page.getAttribute("#preview iframe", "sandbox"), /allow-(scripts|same-origin|forms)/);
    for (const [scheme, ground] of [["dark", "rgb(15, 21, 19)"], ["light", "rgb(246, 245, 240)"]]) {
      await page.selectOption("#preview-scheme", scheme);
      const body = page.frameLocator("#preview iframe").locator("body");
      assert.equal(await body.evaluate((node) => getComputedStyle(node).backgroundColor), ground);
    }
  }
});
