// An address proves itself: by the code, on the page, while colours are chosen; by the link, in another tab or on another device.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, answer, eventually, mailsTo, mailTo, open, proofLink, ready, sandbox, signInLink, visit, visitor } from "./harness.mjs";
import { aTenant, at, codeFor, connect, createUnproven, errorAt, noticeText, proofIs, prove, submit, tenantId } from "./wizard.mjs";

const PHONE = { viewport: { width: 320, height: 640 } };
const focused = (page) => page.evaluate(() => document.activeElement.id);
const claims = (token) => JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
const token = (page) => page.evaluate(() => JSON.parse(sessionStorage.getItem("tenantry.session"))?.token);
const reload = async (page) => {
  await page.reload();
  await ready(page);
};
const anotherTab = async (page, path) => {
  const tab = await page.context().newPage();
  await visit(tab, path);
  return tab;
};
/** A code that is not this one. */
const wrong = (code, n = 1) => String((Number(code) + n) % 1_000_000).padStart(6, "0");
const said = (page, words) =>
  page.waitForFunction((source) => new RegExp(source).test(document.getElementById("proof").textContent), words.source);
/** Presses the button of the form that stands in the tab's step, with a webhook where it needs one. */
async function wish(page, tenant) {
  await submit(page, "colours-form");
  await at(page, "connect");
  await connect(page, tenant);
  await at(page, "progress");
}

test("a typed code proves the address, and the token of a year takes the place of the one of a day", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  await proofIs(page, "code");
  assert.equal(await page.textContent("#proof-address"), tenant.email);
  assert.equal(await page.getAttribute("#proofCode", "autocomplete"), "one-time-code");
  assert.equal(await page.getAttribute("#proofCode", "inputmode"), "numeric");
  assert.equal(claims(await token(page)).unproven, true);
  const code = await codeFor(tenant.email);
  await page.click("#proofCode");
  await page.keyboard.type(code.slice(0, 5));
  assert.equal(page.sent("/auth/proof").length, 0, "five digits are not sent");
  await page.keyboard.type(code.slice(5));
  await proofIs(page, "proven");
  assert.match(await page.textContent("#live"), /is confirmed/);
  assert.equal(await focused(page), "proof-heading");
  await accessible(page, "colours, address proven");
  const { unproven, exp, iat } = claims(await token(page));
  assert.equal(unproven, undefined);
  assert.ok(exp - iat > 360 * 86_400);
  await wish(page, tenant);
  assert.ok(await page.isHidden("#proof"));
  await at(page, "done");
});

for (const [how, dress] of Object.entries({
  "with a blank": (code) => `${code.slice(0, 3)} ${code.slice(3)}`,
  "with hyphens": (code) => code.match(/../g).join("-"),
  "with all around it": (code) => `\n Your code is ${code}.\u00a0`,
  "in wide digits": (code) => code.replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit))),
})) {
  test(`a code is taken as it is pasted: ${how}`, async (t) => {
    const page = await open(t);
    const tenant = await createUnproven(page);
    const code = await codeFor(tenant.email);
    await page.focus("#proofCode");
    await page.evaluate((text) => {
      const data = new DataTransfer();
      data.setData("text/plain", text);
      if (document.activeElement.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })))
        document.execCommand("insertText", false, text);
    }, dress(code));
    await proofIs(page, "proven");
    assert.equal(page.sent("/auth/proof").length, 1);
  });
}

test("a code that was filled in without an event is sent", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const code = await codeFor(tenant.email);
  await page.evaluate((value) => {
    document.getElementById("proofCode").value = value;
  }, code);
  await proofIs(page, "proven");
});

test("a wrong code says how many tries are left, the fifth burns it, and another mail helps", { timeout: 120_000 }, async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const code = await codeFor(tenant.email);
  await submit(page, "proof-form");
  assert.match(await errorAt(page, "proofCode"), /Please fill this in/);
  await page.fill("#proofCode", "12");
  await submit(page, "proof-form");
  assert.match(await errorAt(page, "proofCode"), /six digits/);
  assert.equal(page.sent("/auth/proof").length, 0, "what is no code is not sent");
  for (const [n, words] of [[1, /4 times more/], [2, /3 times more/], [3, /2 times more/], [4, /once more/], [5, /send a new one/i]]) {
    await page.fill("#proofCode", wrong(code, n));
    await page.waitForFunction(([source]) => new RegExp(source, "i").test(document.getElementById("proofCode-error").textContent), [words.source]);
    assert.equal(await focused(page), "proofCode");
    assert.equal(await page.evaluate(() => getSelection().toString().length || document.activeElement.selectionEnd), 6, "the next one is typed over it");
  }
  await accessible(page, "colours, code burnt");
  await page.fill("#proofCode", code);
  await page.waitForFunction(() => /counts no more/.test(document.getElementById("proofCode-error").textContent));
  assert.match(await page.textContent("#proof-again"), /in \d+ s/);
  const before = (await mailsTo(tenant.email)).length;
  await page.evaluate(() => document.getElementById("proof-again").click());
  assert.equal(page.sent("/auth/proof/send").length, 0, "not before its time");
  await page.waitForSelector("#proof-again:not([aria-disabled])", { timeout: 45_000 });
  await page.click("#proof-again");
  await said(page, /on its way/);
  assert.equal(await errorAt(page, "proofCode"), "");
  assert.match(await page.textContent("#proof-again"), /in (30|29|28) s/);
  const mails = await eventually("another mail", async () => {
    const all = await mailsTo(tenant.email);
    return all.length > before && all;
  });
  assert.notEqual(mails.at(-1).text.match(/\b\d{6}\b/)[0], code);
  await prove(page, tenant);
});

test("the pause between two mails outlives a reload, and limits are told with their time", async (t) => {
  const page = await open(t);
  await createUnproven(page);
  await reload(page);
  await proofIs(page, "code");
  assert.match(await page.textContent("#proof-again"), /in \d+ s/);
  await page.evaluate(() => {
    const id = JSON.parse(sessionStorage.getItem("tenantry.tab"));
    for (const name of ["tenantry.draft", `tenantry.draft:${id}`])
      localStorage.setItem(name, JSON.stringify({ ...JSON.parse(localStorage.getItem(name)), againAt: 1 }));
  });
  await page.evaluate(() => (window.onpagehide = null));
  await reload(page);
  await answer(page, "/auth/proof/send", { status: 429, code: "RATE_LIMITED", headers: { "retry-after": "90" } });
  await page.click("#proof-again");
  await said(page, /You can do this again at about \d\d:\d\d/);
  assert.match(await page.textContent("#proof-again"), /in \d\d s/);
  assert.ok(await page.isHidden("#notice .box"), "nothing is tried again behind one's back");
});

test("another address: corrected in place, by the rules of the form, and the old code is dead", async (t) => {
  const page = await open(t);
  const taken = await createUnproven(await open(t));
  const other = await open(t);
  const owner = await createUnproven(other);
  await prove(other, owner);
  const tenant = await createUnproven(page, aTenant({ plan: "pro" }));
  const code = await codeFor(tenant.email);
  await page.click("#proof-wrong");
  assert.equal(await focused(page), "proofEmail");
  assert.equal(await page.inputValue("#proofEmail"), tenant.email);
  await accessible(page, "colours, another address");
  for (const [address, words] of [["", /Please fill this in/], ["nobody@localhost", /\w/], [owner.email, /already a club/]]) {
    await page.fill("#proofEmail", address);
    await submit(page, "proof-email-form");
    await page.waitForSelector("#proofEmail[aria-invalid]");
    assert.match(await errorAt(page, "proofEmail"), words, address);
    assert.equal(await focused(page), "proofEmail");
  }
  await page.click("#proof-leave");
  assert.equal(await focused(page), "proof-wrong", "leaving it changes nothing");
  assert.equal(await page.textContent("#proof-address"), tenant.email);
  await page.click("#proof-wrong");
  // Another unproven club keeps its address from nobody.
  assert.ok(taken);
  const right = `  Right-${tenant.mark}@Example.ORG `;
  await page.fill("#proofEmail", right);
  await submit(page, "proof-email-form");
  await said(page, /on its way/);
  const stored = await page.textContent("#proof-address");
  assert.equal(stored.toLowerCase(), right.trim().toLowerCase());
  assert.equal(await focused(page), "proofCode");
  await page.fill("#proofCode", code);
  await page.waitForSelector("#proofCode[aria-invalid]");
  await page.goBack();
  await at(page, "club");
  assert.equal(await page.textContent("#made-email"), stored);
  await page.goForward();
  await at(page, "colours");
  await reload(page);
  await prove(page, { email: stored });
  await wish(page, tenant);
  await at(page, "done");
  assert.match(await page.textContent("#done-mail"), new RegExp(stored));
});

test("the wish to set up is remembered, and a code starts it", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  await wish(page, tenant);
  await page.waitForFunction(() => /As soon as you have confirmed/.test(document.getElementById("progress-lead").textContent));
  assert.match(await page.textContent("#live"), /As soon as you have confirmed/);
  assert.ok((await page.locator("#tasks li").count()) > 3, "what will be done is shown");
  assert.ok(await page.isVisible("#proofCode"));
  await accessible(page, "progress, address not proven");
  const { requests } = await sandbox("requests?host=hook.eu1.make.com&limit=100");
  assert.ok(!requests.some(({ path }) => path.includes(tenant.mark)), "nothing reaches outside before");
  await reload(page);
  await at(page, "progress");
  await prove(page, tenant);
  await at(page, "done");
  assert.ok(await page.isHidden("#proof"));
});

test("the link in another tab of the same browser: one press, and the first tab goes on with the token", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  await page.click("[data-kit=claret]");
  const link = await proofLink(tenant.email);
  const tab = await anotherTab(page, link);
  assert.equal(new URL(tab.url()).hash, "", "the token leaves the address bar at once");
  assert.equal(page.sent("/auth/proof").length, 0, "nothing is spent without a press");
  await accessible(tab, "proof, ready to confirm");
  await reload(tab);
  await submit(tab, "sign-in");
  await tab.waitForSelector("#signed-in:not([hidden])");
  assert.match(await tab.textContent("#magic-heading"), /is confirmed/);
  assert.match(await tab.textContent("#state"), new RegExp(`${tenant.clubName} goes on by itself`));
  assert.equal(await focused(tab), "magic-heading");
  await accessible(tab, "proof, the other tab goes on");
  await proofIs(page, "proven");
  assert.equal(claims(await token(page)).unproven, undefined);
  assert.equal(await page.inputValue("#primaryColor"), "#7A263A");
  await wish(page, tenant);
  await at(page, "done");
});

test("whoever wants to goes on in the tab of the link, with the draft and the step", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  await page.click("[data-kit=claret]");
  const link = await proofLink(tenant.email);
  const tab = await anotherTab(page, link);
  await submit(tab, "sign-in");
  await tab.waitForSelector("#signed-in:not([hidden])");
  await tab.click("#open");
  await at(tab, "colours");
  assert.equal(await tab.inputValue("#primaryColor"), "#7A263A");
  assert.equal(await tenantId(tab), await tenantId(page));
  await wish(tab, tenant);
  await at(tab, "done");
});

test("the link when the first tab is closed: the draft and the step are there", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  await submit(page, "colours-form");
  await at(page, "connect");
  await page.fill("#webhookUrl", tenant.webhookUrl);
  const link = await proofLink(tenant.email);
  const tab = await page.context().newPage();
  await page.close();
  await visit(tab, link);
  await submit(tab, "sign-in");
  await at(tab, "connect");
  assert.equal(await tab.inputValue("#webhookUrl"), tenant.webhookUrl);
  assert.ok(await tab.isHidden("#proof"));
  await submit(tab, "starter-form");
  await at(tab, "done");
});

test("the link on another device starts what was wished for, and both see it through", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page, aTenant({ plan: "pro" }));
  await wish(page, tenant);
  const phone = await open(t, { ...PHONE, path: await proofLink(tenant.email) });
  await submit(phone, "sign-in");
  // Who comes late to a set-up of a moment finds the club at work.
  await Promise.all([phone.waitForSelector("#done:not([hidden]), #signed-in:not([hidden]) #state:not(:empty)"), at(page, "done")]);
  assert.match(await page.textContent("#done-heading"), new RegExp(tenant.clubName));
});

test("a page whose address was proven on another device says so, and how to go on", async (t) => {
  const page = await open(t, PHONE);
  const tenant = await createUnproven(page);
  const phone = await open(t, { path: await proofLink(tenant.email) });
  await submit(phone, "sign-in");
  await at(phone, "colours");
  // The page looks by itself when somebody comes back to it.
  await page.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await proofIs(page, "elsewhere");
  await said(page, /another tab or on another device/);
  await accessible(page, "colours, proven elsewhere");
  await reload(page);
  await proofIs(page, "elsewhere");
  await submit(page, "colours-form");
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /confirmed in another tab/);
  await page.click("#proof-link");
  await page.waitForFunction(() => /on its way/.test(document.getElementById("notice-text").textContent));
  const tab = await anotherTab(page, await signInLink(tenant.email));
  await submit(tab, "sign-in");
  // The first tab takes the token over.
  await proofIs(page, "proven");
  await wish(page, tenant);
  await at(page, "done");
});

test("a proof elsewhere is noticed by whatever is done next", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const { token: link } = { token: (await proofLink(tenant.email)).split("token=")[1] };
  assert.equal((await page.request.post("/auth/proof", { data: { token: link } })).status(), 200);
  await page.fill("#proofCode", "000000");
  await proofIs(page, "elsewhere");
  await accessible(page, "colours, code after the link");
});

test("a reopened tab has no token: the panel says that the link goes on", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const again = await page.context().newPage();
  await page.close();
  await visit(again);
  await at(again, "colours");
  await proofIs(again, "link");
  assert.equal(await again.textContent("#proof-address"), tenant.email);
  assert.ok(await again.isHidden("#proofCode"));
  await accessible(again, "colours, without a token");
  const tab = await anotherTab(again, await proofLink(tenant.email));
  await submit(tab, "sign-in");
  await proofIs(again, "proven");
  await wish(again, tenant);
  await at(again, "done");
});

test("an old link says so, and the next step is there", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const link = await proofLink(tenant.email);
  await prove(page, tenant);
  const late = await open(t, { ...PHONE, path: link, locale: "de-DE" });
  await submit(late, "sign-in");
  await late.waitForSelector("#fresh:not([hidden])");
  assert.match(await late.textContent("#fresh-why"), /verbraucht, älter als 24 Stunden/);
  await accessible(late, "proof, link used, German");
  await late.click("#languages [lang=en]");
  await late.waitForSelector("html[lang=en]");
  assert.match(await late.textContent("#fresh-why"), /has been used/);
  await late.fill("#email", tenant.email);
  await submit(late, "fresh");
  await late.waitForFunction(() => /on its way/.test(document.getElementById("notice-text").textContent));
  await visit(late, await signInLink(tenant.email));
  await submit(late, "sign-in");
  await at(late, "colours");

  await visit(late, "/proof/");
  assert.match(await late.textContent("#fresh-why"), /needs the link/);
  await accessible(late, "proof, without a link");
});

test("offline in the middle loses nothing", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const code = await codeFor(tenant.email);
  await page.context().setOffline(true);
  await page.fill("#proofCode", code);
  await page.waitForSelector("#notice .box:not([hidden])");
  assert.match(await noticeText(page), /No connection/);
  assert.equal(await page.inputValue("#proofCode"), code);
  await page.context().setOffline(false);
  await proofIs(page, "proven");
});

test("a colour that is saved while the proof is on its way is saved with the new token", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  let letGo;
  const held = new Promise((resolve) => (letGo = resolve));
  await page.route("**/auth/proof", async (route) => {
    const response = await route.fetch();
    await held;
    await route.fulfill({ response });
  });
  const code = await codeFor(tenant.email);
  const proved = page.waitForRequest("**/auth/proof");
  await page.fill("#proofCode", code);
  await proved;
  const refused = page.waitForResponse((response) => response.url().endsWith("/public/signup/brand") && response.status() === 403);
  await eventually("the proof has reached the service", async () => {
    const state = await page.request.get("/whoami", { headers: { authorization: `Bearer ${await token(page)}` } });
    return state.status() === 403;
  });
  await submit(page, "colours-form");
  await refused;
  letGo();
  await at(page, "connect");
});

test("a panel that does not arrive is asked for again", async (t) => {
  const page = await open(t);
  await page.route("**/js/proof.js", (route) => route.abort());
  const tenant = await createUnproven(page);
  await prove(page, tenant);
});

test("on a phone, in German, in the dark, everything fits and reads", async (t) => {
  const page = await open(t, { ...PHONE, locale: "de-DE", colorScheme: "dark" });
  const tenant = await createUnproven(page, aTenant({ email: `${"m".repeat(50)}-${aTenant().mark}@${"w".repeat(50)}.example` }));
  await proofIs(page, "code");
  assert.match(await page.textContent("#proof-text"), /sechsstelligen Code/);
  await accessible(page, "colours, not proven, German, 320 px");
  await page.waitForFunction(() => {
    const { top } = document.getElementById("proof").getBoundingClientRect();
    return top >= 0 && top < innerHeight / 2;
  });
  await page.click("#proof-wrong");
  await accessible(page, "another address, German, 320 px");
  await page.click("#proof-leave");
  await page.click("#languages [lang=en]");
  await said(page, /six-digit code/);
  await page.click("#languages [lang=de]");
  await prove(page, tenant);
  await accessible(page, "colours, proven, German, 320 px");
  await mailTo(tenant.email);
});

test("whoever wants to sign in types an address or the club's web address, and the code where they asked", async (t) => {
  const first = await open(t);
  const tenant = await createUnproven(first);
  await prove(first, tenant);
  const page = await open(t, { ...PHONE, path: "/" });
  await page.click(".top .sign-in");
  await ready(page);
  const asks = [];
  await page.route("**/auth/magic/start", async (route) => {
    asks.push(route.request().postDataJSON());
    await route.continue();
  });
  await submit(page, "fresh");
  assert.match(await errorAt(page, "email"), /Please fill this in/);
  await page.fill("#email", "a b");
  await submit(page, "fresh");
  assert.match(await errorAt(page, "email"), /neither/);
  await accessible(page, "magic, neither an address nor a web address");
  const spoken = [tenant.clubSlug, `HTTPS://${tenant.clubSlug.toUpperCase()}.clubs.example/news?x`, ` ${tenant.email} `];
  for (const text of spoken) {
    await page.fill("#email", text);
    const asked = page.waitForResponse("**/auth/magic/start");
    await submit(page, "fresh");
    assert.equal((await asked).status(), 202, text);
    await page.waitForSelector("#by-code:not([hidden])");
  }
  assert.deepEqual(asks, [{ tenantSlug: tenant.clubSlug }, { tenantSlug: tenant.clubSlug }, { email: tenant.email }]);
  assert.ok(await signInLink(tenant.email), "the slug alone was enough");
  await accessible(page, "magic, asked for a link");

  const session = await first.evaluate(() => JSON.parse(sessionStorage.getItem("tenantry.session")));
  const verify = [];
  await page.route("**/auth/magic/verify", (route) => {
    verify.push(route.request().postDataJSON());
    if (verify.length === 1)
      return route.fulfill({ status: 401, json: { success: false, error: { code: "INVALID_TOKEN", reason: "invalid_code", message: "No.", requestId: "req_1" } } });
    return route.fulfill({ json: { success: true, tenantId: session.tenantId, tenant: { id: session.tenantId, name: tenant.clubName }, jwt: session.token } });
  });
  await page.fill("#code", "123 45");
  await submit(page, "by-code");
  assert.match(await errorAt(page, "code"), /six digits/);
  await page.fill("#code", "123 456");
  await page.waitForFunction(() => /not right/.test(document.getElementById("code-error").textContent));
  assert.equal(await focused(page), "code");
  await accessible(page, "magic, wrong code");
  await page.fill("#code", "654321");
  await at(page, "colours");
  assert.deepEqual(verify, [{ code: "123456", email: tenant.email }, { code: "654321", email: tenant.email }]);
});

test("starting over before the proof says that the tenant lapses by itself", async (t) => {
  const page = await open(t);
  const tenant = await createUnproven(page);
  const [dialog] = await Promise.all([
    page.waitForEvent("dialog").then(async (dialog) => {
      await dialog.accept();
      return dialog;
    }),
    page.click("#start-over"),
  ]);
  assert.match(dialog.message(), new RegExp(`${tenant.clubName}.*lapses by itself after three days`));
  await page.waitForURL(/#\/club$/);
  await ready(page);
  assert.ok(await page.isHidden("#proof"), "nothing is left to prove");
});

test("a sign-up that has lapsed says so, and leads to a new one", async (t) => {
  const { context } = await visitor(t);
  const page = await context.newPage();
  await page.addInitScript((at) => {
    if (sessionStorage.getItem("seeded")) return;
    sessionStorage.setItem("seeded", "1");
    const tenant = { id: "tenant_1", name: "Old Rovers", slug: "old-rovers", email: "old@example.org", plan: "starter", emailProven: false, madeAt: at };
    localStorage.setItem("tenantry.draft", JSON.stringify({ key: "signup-1", step: "colours", tenant, at }));
  }, Date.now() - 73 * 3_600_000);
  await visit(page);
  await proofIs(page, "lapsed");
  assert.match(await page.textContent("#proof-text"), /has lapsed/);
  assert.ok(await page.isHidden("#proofCode"));
  await accessible(page, "colours, lapsed");
});
