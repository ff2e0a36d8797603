// Production's rate limits, per client and per address. The limits' windows are minutes of the wall clock, so a burst may meet two
// of them: at least the limit passes, at most twice the limit, and of one more than that at least one is refused.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { clubForm, startHarness } from "./harness.mjs";

const h = await startHarness({ env: "production" });
after(() => h.close());

const LIMITS = { start: 10, lookup: 60, magic: 5 };

let clients = 0;
/** As if from an address of its own. */
const from = (client) => ({ headers: { "cf-connecting-ip": client } });
const newClient = () => `2001:db8::${(++clients).toString(16)}`;

/** `ask(index)` once more than two windows let through. */
const burst = (limit, ask) => Promise.all(Array.from({ length: 2 * limit + 1 }, (_, index) => ask(index)));

function assertLimited(answers, limit, passes) {
  const refused = answers.filter(({ status }) => status === 429);
  const passed = answers.filter((answer) => !refused.includes(answer));
  assert.ok(passed.length >= limit && passed.length <= 2 * limit, `${passed.length} of ${answers.length} passed`);
  for (const { status, body } of passed) assert.ok(passes.includes(status), `${status} ${JSON.stringify(body)}`);
  for (const { body, headers } of refused) {
    assert.deepEqual([body.success, body.error.code], [false, "RATE_LIMITED"]);
    const seconds = Number(headers.get("retry-after"));
    assert.ok(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60, headers.get("retry-after"));
  }
  return { passed, refused };
}

const start = (form, client) => h.api("POST", "/public/signup/start", { body: form, ...from(client) });

describe("signups", () => {
  test("of one client are limited, and what is refused is not written", async () => {
    const client = newClient();
    const forms = Array.from({ length: 2 * LIMITS.start + 1 }, () => clubForm());
    const answers = await burst(LIMITS.start, (index) => start(forms[index], client));
    const { passed } = assertLimited(answers, LIMITS.start, [200]);
    const slugs = JSON.stringify(forms.map(({ clubSlug }) => clubSlug));
    const clubs = await h.sql("select id from tenants where slug in (select value from json_each(?))", slugs);
    assert.equal(clubs.length, passed.length);
    assert.equal((await start(clubForm(), newClient())).status, 200, "another client is not held up");
  });

  test("for one address are limited, wherever they come from and however it is written", async () => {
    const { email } = clubForm();
    const spelled = (index) => (index % 2 === 0 ? email : email.toUpperCase());
    const answers = await burst(LIMITS.start, (index) => start(clubForm({ email: spelled(index) }), newClient()));
    const { passed } = assertLimited(answers, LIMITS.start, [200, 409]);
    assert.equal(passed.filter(({ status }) => status === 200).length, 1);
  });
});

describe("look-ups of one client are limited:", () => {
  for (const [what, ask] of Object.entries({
    availability: (client) => h.api("GET", `/public/signup/availability?slug=${clubForm().clubSlug}`, from(client)),
    "verify-promo": (client) => h.api("POST", "/public/signup/verify-promo", { body: { promoCode: "GUESS1" }, ...from(client) }),
    "magic/verify": (client) => h.api("POST", "/auth/magic/verify", { body: { token: "guess" }, ...from(client) }),
  })) {
    test(what, async () => {
      const client = newClient();
      assertLimited(await burst(LIMITS.lookup, () => ask(client)), LIMITS.lookup, [200, 400, 401]);
      assert.notEqual((await ask(newClient())).status, 429);
    });
  }
});

describe("links by mail are limited", () => {
  const ask = (email, client) => h.api("POST", "/auth/magic/start", { body: { email }, ...from(client) });

  test("for one client, whatever address it asks for", async () => {
    const client = newClient();
    assertLimited(await burst(LIMITS.magic, () => ask(clubForm().email, client)), LIMITS.magic, [202]);
    assert.equal((await ask(clubForm().email, newClient())).status, 202);
  });

  test("for one address, known or not, wherever it is asked from", async () => {
    const known = await h.signup({}, from(newClient()));
    for (const email of [known.email, clubForm().email]) {
      assertLimited(await burst(LIMITS.magic, () => ask(email, newClient())), LIMITS.magic, [202]);
    }
    const [{ links }] = await h.sql("select count(*) as links from magic_links where tenant_id = ?", known.tenantId);
    assert.equal(links, 1, "and a known one gets one mail, because it rests after each");
  });
});

test("what needs a token, and health, is not limited", async () => {
  const club = await h.signup({}, from(newClient()));
  const client = newClient();
  const answers = await Promise.all([
    ...Array.from({ length: 130 }, () => h.api("GET", "/whoami", { token: club.jwt, ...from(client) })),
    ...Array.from({ length: 130 }, () => h.api("GET", "/health", from(client))),
  ]);
  assert.ok(answers.every(({ status }) => status === 200));
});

test("each refusal is logged under its request, with no address in it", () => {
  const lines = h.logs();
  const refused = lines.filter(({ msg, status }) => msg === "request" && status === 429);
  const limited = lines.filter(({ msg }) => msg === "rate_limited");
  assert.ok(refused.length > 0);
  for (const { requestId, code } of refused) {
    assert.equal(code, "RATE_LIMITED");
    assert.ok(
      limited.some((line) => line.requestId === requestId),
      `no rate_limited line for ${requestId}`,
    );
  }
  assert.ok(!/@example\.org|2001:db8/.test(JSON.stringify(lines.filter(({ msg }) => msg !== "signup_completed"))));
});
