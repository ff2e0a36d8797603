// A browser and its tabs: each tab works on one tenant, whatever the others do, and whatever lies in the browser's stores.

import assert from "node:assert/strict";
import test from "node:test";
import { accessible, open, ready, signInLink, visit, visitor } from "./harness.mjs";
import { aTenant, at, connect, createTenant, fillTenant, noticeText, starts, submit, tenantId, toConnect } from "./wizard.mjs";

const banner = (page) => page.waitForSelector("#elsewhere > div:not([hidden])");
const value = (page, field) => page.inputValue(`#${field}`);
const claims = (request) => JSON.parse(Buffer.from(request.headers().authorization.split(".")[1], "base64url"));
const reload = async (page) => {
  await page.reload();
  await ready(page);
};
const another = async (page) => {
  const tab = await page.context().newPage();
  await visit(tab);
  return Object.assign(tab, { sent: page.sent });
};

test("two tabs make two tenants, and nothing of one gets into the other", async (t) => {
  const one = await open(t);
  const first = aTenant();
  await fillTenant(one, first);
  const two = await another(one);
  assert.equal(await value(two, "clubName"), "", "another tab's input is not this one's");
  await banner(two);
  assert.match(await two.textContent("#elsewhere-text"), new RegExp(`${first.clubName}.*another tab`));
  await accessible(two, "club, another tab works on another");
  await two.click("#elsewhere-close");
  const second = aTenant();
  await fillTenant(two, second);
  for (const [tab, tenant] of [[one, first], [two, second]]) {
    await reload(tab);
    assert.equal(await value(tab, "clubName"), tenant.clubName);
    assert.equal(await value(tab, "email"), tenant.email);
  }
  await createTenant(two, second);
  await createTenant(one, first);
  assert.equal(new Set(starts(one).map(({ key }) => key)).size, 2, "each has a key of its own");
  for (const tab of [two, one]) await reload(tab);
  const brands = [];
  for (const [tab, tenant] of [[one, first], [two, second]]) {
    const saved = tab.waitForRequest("**/public/signup/brand");
    await submit(tab, "colours-form");
    brands.push(claims(await saved).tenantId);
    await at(tab, "connect");
    assert.equal(await tab.textContent("#preview-name"), tenant.clubName);
  }
  assert.equal(new Set(brands).size, 2, "each with its own token");
  await connect(one, first);
  await at(one, "done");
  await connect(two, second);
  await at(two, "done");
  assert.match(await one.textContent("#done-heading"), new RegExp(first.clubName));
  assert.match(await two.textContent("#done-heading"), new RegExp(second.clubName));
  const left = await one.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith("tenantry.draft")));
  assert.deepEqual(left, [], "what is finished is not kept");
});

test("a duplicated tab, with all that the first one has, is not the first one", async (t) => {
  const one = await open(t);
  const tenant = await createTenant(one);
  const opened = one.context().waitForEvent("page");
  await one.evaluate(() => void window.open(location.href));
  const two = await opened;
  await ready(two);
  await at(two, "club");
  await banner(two);
  assert.equal(await two.evaluate(() => sessionStorage.getItem("tenantry.session")), null, "the token stays in its tab");
  await createTenant(two);
  await submit(one, "colours-form");
  await at(one, "connect");
  await reload(one);
  assert.equal(await one.textContent("#preview-name"), tenant.clubName);
});

test("closed tabs are taken up again one after the other, the latest first", async (t) => {
  const one = await open(t);
  const two = await another(one);
  const [first, second] = [aTenant(), aTenant()];
  // The first tab's answer comes last: what nobody typed makes no draft the latest.
  let answer;
  const held = new Promise((resolve) => (answer = resolve));
  await one.route("**/public/signup/availability?**", async (route) => {
    await held;
    await route.continue();
  });
  await fillTenant(one, first);
  await fillTenant(two, second);
  await two.waitForSelector("#clubSlug-answer[data-tone=good]");
  answer();
  await one.waitForSelector("#clubSlug-answer[data-tone=good]");
  const { context } = { context: one.context() };
  const keeper = await context.newPage();
  await keeper.goto(new URL("/docs/", one.url()).href);
  await one.close();
  await two.close();
  // The browser lets go of a closed tab's lock a moment later.
  await keeper.waitForFunction(async () => (await navigator.locks.query()).held.length === 0);
  await visit(keeper);
  assert.equal(await value(keeper, "clubName"), second.clubName);
  const next = await context.newPage();
  await visit(next);
  assert.equal(await value(next, "clubName"), first.clubName);
});

test("the Make secret that was shown is the same in every tab that comes back", async (t) => {
  const page = await open(t);
  const tenant = await toConnect(page);
  const shown = await value(page, "webhookSecret");
  assert.ok(shown.length >= 16);
  await page.fill("#webhookUrl", tenant.webhookUrl);
  const again = await page.context().newPage();
  await page.close();
  await visit(again);
  await at(again, "connect");
  assert.equal(await value(again, "webhookSecret"), shown);
  assert.equal(await value(again, "webhookUrl"), tenant.webhookUrl);
  await again.goBack().catch(() => {});
  await visit(again, "/#/connect");
  assert.equal(await value(again, "webhookSecret"), shown);
});

test("what somebody typed before the scripts came begins a tenant of its own beside an unfinished one", async (t) => {
  const page = await open(t);
  const tenant = await createTenant(page);
  const again = await page.context().newPage();
  await page.close();
  let release;
  const held = new Promise((resolve) => (release = resolve));
  await again.route("**/js/app.js", async (route) => {
    await held;
    await route.continue();
  });
  await again.goto("/", { waitUntil: "commit" });
  await again.waitForSelector("#club-form", { state: "visible" });
  await again.fill("#clubName", "Typed early");
  release();
  await ready(again);
  assert.equal(await value(again, "clubName"), "Typed early");
  assert.notEqual(await value(again, "clubSlug"), tenant.clubSlug, "and nothing of the other is mixed in");
  await banner(again);
  await again.click("#elsewhere-open");
  await at(again, "colours");
  assert.equal(await again.textContent("#preview-name"), tenant.clubName);
});

test("a mailed link goes on with its own tenant, and leaves the others as they are", async (t) => {
  const one = await open(t);
  const first = await createTenant(one);
  await one.click("[data-kit=claret]");
  const two = await another(one);
  const second = aTenant();
  await fillTenant(two, second);
  await one.request.post("/auth/magic/start", { data: { email: first.email } });
  await visit(two, await signInLink(first.email));
  await submit(two, "sign-in");
  await at(two, "colours");
  assert.equal(await value(two, "primaryColor"), "#7A263A");
  assert.equal(await two.textContent("#preview-name"), first.clubName);
  assert.equal(await tenantId(two), await tenantId(one));
  const three = await two.context().newPage();
  await visit(three);
  assert.equal(await value(three, "clubName"), second.clubName, "the form is there for the next tab");
});

/** As version 0.3.0 of this page left it, field by field: neither is ever changed. */
const OLD_DRAFT = {
  key: "signup-00112233445566778899aabbccddeeff",
  step: "club",
  clubName: "Old Rovers",
  clubSlug: "old-rovers-x1",
  slugChosen: true,
  email: "old@example.org",
  plan: "pro",
  promoCode: "",
  primaryColor: "#7A263A",
  secondaryColor: "#8FC6EA",
  webhookUrl: "",
  sent: [],
  tenant: null,
  body: null,
  queued: false,
};
const OLD_SECRET = "00112233445566778899aabbccddeeff";

test("an earlier version's drafts are taken over, and it could read ours", async (t) => {
  const { context } = await visitor(t);
  const page = await context.newPage();
  await page.addInitScript(
    ([draft, secret]) => {
      if (sessionStorage.getItem("seeded")) return;
      sessionStorage.setItem("seeded", "1");
      localStorage.setItem("tenantry.draft", JSON.stringify(draft));
      localStorage.setItem("tenantry.draft.aside", JSON.stringify({ ...draft, clubName: "Aside", clubSlug: "aside-x1" }));
      sessionStorage.setItem("tenantry.secret", JSON.stringify(secret));
    },
    [OLD_DRAFT, OLD_SECRET],
  );
  await visit(page);
  const there = [await value(page, "clubName")];
  const next = await context.newPage();
  await next.addInitScript(() => sessionStorage.setItem("seeded", "1"));
  await visit(next);
  there.push(await value(next, "clubName"));
  assert.deepEqual(there.sort(), ["Aside", "Old Rovers"]);
  assert.ok(await page.isChecked("[value=pro]"));

  await page.fill("#email", "new@example.org");
  const left = await page.evaluate(() => JSON.parse(localStorage.getItem("tenantry.draft")));
  // It does without the body, and asks for a link.
  const { body, ...needed } = OLD_DRAFT;
  for (const [name, like] of Object.entries(needed))
    assert.equal(typeof left[name], typeof like, `the earlier version finds ${name}`);
  assert.equal(left.email, "new@example.org");
});

test("an earlier version's secret, which it kept with the tab, is still the one that was shown", async (t) => {
  const page = await open(t);
  await toConnect(page);
  await page.evaluate((secret) => {
    const draft = JSON.parse(localStorage.getItem("tenantry.draft"));
    for (const name of ["id", "at", "webhookSecret", "branded"]) delete draft[name];
    const session = sessionStorage.getItem("tenantry.session");
    window.onpagehide = () => {
      localStorage.clear();
      sessionStorage.clear();
      localStorage.setItem("tenantry.draft", JSON.stringify(draft));
      sessionStorage.setItem("tenantry.session", session);
      sessionStorage.setItem("tenantry.secret", JSON.stringify(secret));
    };
  }, OLD_SECRET);
  await reload(page);
  await at(page, "connect");
  assert.equal(await value(page, "webhookSecret"), OLD_SECRET);
  assert.equal(starts(page).length, 1);
});

const GARBAGE = {
  "no JSON": "{nonsense",
  null: "null",
  "a number": "7",
  "a list": "[1]",
  "wrong types": JSON.stringify({ id: 3, key: 1, clubName: 5, sent: "x", tenant: "y", body: 1, queued: "yes", step: {}, at: "z" }),
  "wrong insides": JSON.stringify({
    id: "a",
    clubName: "Kept",
    clubSlug: "kept-x1",
    sent: [null, 5],
    tenant: { id: 9 },
    primaryColor: null,
    step: "nowhere",
    queued: true,
  }),
};

for (const [what, text] of Object.entries(GARBAGE)) {
  test(`stores that hold ${what} break nothing`, async (t) => {
    const { context } = await visitor(t);
    const page = await context.newPage();
    await page.addInitScript((text) => {
      if (localStorage.getItem("seeded")) return;
      for (const store of [localStorage, sessionStorage]) {
        for (const name of ["tab", "session", "finished", "draft", "draft:a", "draft.aside", "secret", "link", "language"])
          store.setItem(`tenantry.${name}`, text);
      }
      localStorage.setItem("seeded", "1");
    }, text);
    await visit(page);
    if (!(await page.isVisible("#club-form"))) {
      await at(page, "done");
      await page.click("#done-another");
      await ready(page);
    }
    await at(page, "club");
    const tenant = await createTenant(page, aTenant());
    await reload(page);
    await at(page, "colours");
    assert.equal(await page.textContent("#preview-name"), tenant.clubName);
    await visit(page, "/magic/");
  });
}

for (const [how, refuse] of Object.entries({
  "stores nothing": () => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  },
  "forbids its stores": () => {
    for (const kind of ["localStorage", "sessionStorage"])
      Object.defineProperty(window, kind, {
        get() {
          throw new DOMException("no", "SecurityError");
        },
      });
  },
})) {
  test(`a browser that ${how} gets to the end, and is not told that anything is kept`, async (t) => {
    const { context } = await visitor(t);
    await context.addInitScript(refuse);
    const page = await context.newPage();
    await visit(page);
    const tenant = aTenant();
    await fillTenant(page, tenant);
    assert.match(await page.textContent("#club-lead"), /is lost when you close/);
    await accessible(page, `club, a browser that ${how}`);
    const asked = page.waitForEvent("dialog");
    const reloading = page.reload().catch(() => {});
    const dialog = await asked;
    assert.equal(dialog.type(), "beforeunload");
    await dialog.dismiss();
    await reloading;
    assert.equal(await value(page, "clubName"), tenant.clubName);
    await createTenant(page, tenant);
    await submit(page, "colours-form");
    await at(page, "connect");
    await connect(page, tenant);
    await at(page, "done");
  });
}

test("a disk that fills up in the middle does not bring back what was there before", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await page.evaluate(() => {
    Storage.prototype.setItem = () => {
      throw new DOMException("full", "QuotaExceededError");
    };
  });
  await createTenant(page, tenant);
  await submit(page, "colours-form");
  await at(page, "connect");
  assert.equal(await page.textContent("#preview-name"), tenant.clubName);
  page.on("dialog", (dialog) => dialog.accept());
});

test("a page that comes back from the browser's cache looks at its draft again", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  await Promise.all([
    page.waitForEvent("load"),
    page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }))),
  ]);
  await ready(page);
  assert.equal(await value(page, "clubName"), tenant.clubName);
  await visit(page, "/magic/");
  await page.goBack();
  await ready(page);
  assert.equal(await value(page, "clubName"), tenant.clubName);
  await page.goForward();
  await ready(page);
});

/** Presses "Start over" and answers what the browser asked. */
async function startOver(page, accept) {
  const [dialog] = await Promise.all([page.waitForEvent("dialog").then(async (dialog) => {
    await (accept ? dialog.accept() : dialog.dismiss());
    return dialog;
  }), page.click("#start-over")]);
  return dialog.message();
}

test("starting over says what stays", async (t) => {
  const page = await open(t);
  const tenant = aTenant();
  await fillTenant(page, tenant);
  assert.match(await startOver(page, false), /No club has been created/);
  assert.equal(await value(page, "clubName"), tenant.clubName, "and asks first");
  await page.route("**/public/signup/start", (route) => route.abort());
  await submit(page, "club-form");
  await page.waitForSelector("#notice .box:not([hidden])");
  await page.click("#notice-actions button:has-text('Stop')");
  assert.match(await noticeText(page), /Nothing is lost/);
  assert.match(await startOver(page, false), new RegExp(`${tenant.clubName}” may have been created`));
  await page.unroute("**/public/signup/start");
  await createTenant(page, tenant);
  const words = await startOver(page, false);
  assert.match(words, new RegExp(`${tenant.clubName}” has been created and stays`));
  assert.match(words, new RegExp(`sent to ${tenant.email}`));
  await submit(page, "colours-form");
  await at(page, "connect");
  await page.route("**/provision-status", (route) => route.abort());
  await connect(page, tenant);
  await at(page, "progress");
  assert.match(await startOver(page, false), /its set-up goes on/);
  await page.unroute("**/provision-status");
  await at(page, "done");
  assert.match(await startOver(page, true), /is set up and stays/);
  await page.waitForURL(/#\/club$/);
  await ready(page);
  assert.equal(await value(page, "clubName"), "");
});

test("Back after starting over does not bring the other tenant's words into the new form", async (t) => {
  const page = await open(t);
  const tenant = await createTenant(page);
  await startOver(page, true);
  await page.waitForURL(/#\/club$/);
  await ready(page);
  await page.goBack();
  await ready(page);
  await page.waitForSelector("#club-form", { state: "visible" });
  assert.equal(await value(page, "clubName"), "");
  assert.equal(await page.evaluate((mark) => document.body.textContent.includes(mark), tenant.mark), false);
});
