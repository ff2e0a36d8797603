// What integrations/ gives to those who receive webhooks, on deliveries that were captured from the running service: the receivers in
// JavaScript and Python as they are shipped, the blueprint for Make, and another implementation of Standard Webhooks.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createCipheriv, createHash, createHmac, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Webhook } from "standardwebhooks";
import { makeWebhook, startHarness, until } from "./harness.mjs";
import { modulesOf, runScenario } from "./make-scenario.mjs";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const BLUEPRINT = JSON.parse(readFileSync(at("integrations/make/tenantry.blueprint.json"), "utf8"));
const API = JSON.parse(readFileSync(at("public/openapi.json"), "utf8"));
const PROGRAMS = {
  JavaScript: [process.execPath, at("integrations/receivers/receiver.mjs")],
  Python: [process.env.PYTHON ?? "python3", at("integrations/receivers/receiver.py")],
};

const base64 = (bytes) => Buffer.from(bytes).toString("base64");
const SECRETS = {
  ASCII: "a secret: {of} 'my' \"own\", 1 + 1 = 2; ~",
  "24 bytes in base64": `whsec_${base64(randomBytes(24))}`,
  "base64 with signs and padding": `whsec_${base64(Buffer.alloc(31, 0xfb))}`,
  "base64 without its padding": `whsec_${base64(Buffer.alloc(25, 0xfe)).replaceAll("=", "")}`,
  "no ASCII": "Schlüssel für Müllers 🔑 – geheim",
  "whsec_ and no base64": "whsec_this is no base64 at all",
};
/** Stored before secrets were checked: no tenant can choose them today. */
const EARLIER = ["no ASCII", "whsec_ and no base64"];

const h = await startHarness();
const stop = [() => h.close()];
after(async () => {
  for (const end of stop.reverse()) await end();
});

const hookOf = ({ webhookUrl }) => ({ host: "hook.eu2.make.com", path: new URL(webhookUrl).pathname });
const script = (webhook, fault) => h.sandbox("/__sandbox/faults", { method: "POST", body: { ...hookOf(webhook), times: 1, ...fault } });

/** What the webhook was sent, once there are so many: `{headers, body}` each. */
async function captured(webhook, count) {
  const { host, path } = hookOf(webhook);
  const ask = async () => (await h.sandbox(`/__sandbox/requests?host=${host}&path=${path}`)).requests;
  return until(async () => {
    const requests = await ask();
    return requests.length >= count && requests;
  });
}

const typeOf = ({ body }) => JSON.parse(body).type;

/** A text sealed as the service seals it at rest. */
function sealed(text, context) {
  const derive = (label) => createHash("sha256").update(label).update(h.secrets.DATA_KEY).digest();
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", derive("tenantry data key:"), nonce).setAAD(Buffer.from(context));
  const bytes = [nonce, cipher.update(text, "utf8"), cipher.final(), cipher.getAuthTag()];
  const name = derive("tenantry data key name:").subarray(0, 6).toString("base64url");
  return `v1.${name}.${Buffer.concat(bytes).toString("base64url")}`;
}

/** A live tenant's ping and event under a secret. */
async function live(secret, earlier) {
  const webhook = { ...makeWebhook(), ...(!earlier && { webhookSecret: secret }) };
  const tenant = await h.signup();
  const confirmed = await h.confirm(tenant, webhook);
  assert.equal(confirmed.status, 200, JSON.stringify(confirmed.body));
  await h.settled(tenant);
  let sent = await captured(webhook, 2);
  if (earlier) {
    await h.sql("update make_connections set webhook_secret = ? where tenant_id = ?", sealed(secret, tenant.tenantId), tenant.tenantId);
    const ask = (path) => h.api("POST", `/api/v1/tenants/${tenant.tenantId}/webhook/${path}`, { token: tenant.jwt });
    const { data } = (await h.api("GET", `/api/v1/tenants/${tenant.tenantId}/webhook/deliveries`, { token: tenant.jwt })).body;
    for (const path of ["test", `deliveries/${data[0].id}/redeliver`]) assert.equal((await ask(path)).status, 200);
    sent = (await captured(webhook, 4)).slice(2);
  }
  const [ping, event] = sent;
  assert.deepEqual(sent.map(typeOf), ["webhook.ping", "tenant.provisioned"]);
  return { tenant, webhook, secret, ping, event };
}

/** By secret: `{secret, ping, event}`. By type: every event that the service knows. */
const deliveries = {};
const events = {};
/** A ping under two secrets, the new one first. */
let rotated;

before(async () => {
  for (const [name, secret] of Object.entries(SECRETS)) deliveries[name] = await live(secret, EARLIER.includes(name));
  const { tenant, webhook, secret, event } = deliveries.ASCII;
  const after = { ...webhook, webhookSecret: SECRETS["24 bytes in base64"] };
  assert.equal((await h.confirm(tenant, after)).body.data.webhook.test.delivered, true);
  const [, , ping] = await captured(webhook, 3);
  rotated = { old: secret, new: after.webhookSecret, ping };

  events["tenant.provisioned"] = event;
  const failing = await h.signup();
  const hook = { ...makeWebhook(), webhookSecret: secret };
  await script(hook, { kind: "status", status: 410 });
  await h.confirm(failing, hook);
  await h.settled(failing);
  events["tenant.failed"] = (await captured(hook, 2))[1];
  await h.confirm(failing, hook);
  await h.settled(failing);
  const removed = await h.api("DELETE", `/api/v1/admin/tenants/${failing.tenantId}`, { token: h.token({}), body: { reason: "a test" } });
  assert.equal(removed.status, 202);
  events["tenant.deprovisioned"] = await until(async () => (await captured(hook, 1)).find((one) => typeOf(one) === "tenant.deprovisioned"));
  for (const [type, one] of Object.entries(events)) assert.equal(typeOf(one), type);
});

/** The delivery as somebody else than the service would have signed it. */
function signed(secret, { headers, body }, changes = {}) {
  const all = { ...headers, ...changes };
  const text = `${all["webhook-id"]}.${all["webhook-timestamp"]}.${body}`;
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  return { headers: { ...all, "webhook-signature": `v1,${createHmac("sha256", key).update(text).digest("base64")}` }, body };
}

const seconds = () => Math.floor(Date.now() / 1000);
const with_ = (delivery, headers) => ({ ...delivery, headers: { ...delivery.headers, ...headers } });
const isOurs = ([name]) => name.startsWith("webhook-") || name === "content-type";

const aFolder = () => mkdtempSync(join(tmpdir(), "tenantry-receiver-"));
const forget = (folder) => rmSync(folder, { recursive: true, force: true });

/** A receiver that runs as it is shipped. `post` answers `[status, text]`, `handled` are the events it handled. */
async function started([program, ...args], secret, folder = aFolder()) {
  stop.push(() => forget(folder));
  const env = { ...process.env, WEBHOOK_SECRET: secret, PORT: "0", SEEN: join(folder, "seen"), PYTHONDONTWRITEBYTECODE: "1" };
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  const ended = new Promise((done) => child.once("close", done));
  const handled = [];
  const url = await new Promise((done, fail) => {
    child.once("error", fail);
    child.once("close", (code) => fail(new Error(`ended with ${code}`)));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) handled.push(JSON.parse(line));
      else done(line.split(" ").at(-1));
    });
  });
  return {
    handled,
    /** Posts as the service does; `init` is for what it never does. */
    async post({ headers, body }, init = {}) {
      const sent = Object.fromEntries(Object.entries(headers).filter(isOurs));
      const answer = await fetch(url, { method: "POST", headers: sent, body, ...init });
      return [answer.status, await answer.text()];
    },
    async stop() {
      child.kill();
      await ended;
    },
  };
}

for (const [language, program] of Object.entries(PROGRAMS)) {
  describe(`the receiver in ${language}`, () => {
    for (const name of Object.keys(SECRETS)) {
      test(`takes what is signed with ${name}, each event once, and nothing else`, async () => {
        const { secret, ping, event } = deliveries[name];
        const receiver = await started(program, secret);
        try {
          assert.deepEqual(await receiver.post(ping), [200, "pong"]);
          assert.deepEqual(await receiver.post(event), [200, "handled"]);
          assert.deepEqual(await receiver.post(event), [200, "seen before"]);
          const other = Object.keys(SECRETS).find((one) => one !== name);
          for (const [what, forged] of Object.entries({
            "another secret": deliveries[other].event,
            "another body": { ...event, body: event.body.replace("starter", "pro") },
            "another id": with_(event, { "webhook-id": "evt_another" }),
            "another time": with_(event, { "webhook-timestamp": String(seconds() - 1000) }),
            "no signature": with_(event, { "webhook-signature": "" }),
            "an empty signature": with_(event, { "webhook-signature": "v1, v1" }),
            "another version": with_(event, { "webhook-signature": event.headers["webhook-signature"].replaceAll("v1,", "v2,") }),
            "no base64": with_(event, { "webhook-signature": "v1,!" }),
          })) assert.deepEqual(await receiver.post(forged), [401, "wrong signature"], what);
          await until(() => receiver.handled.length > 0);
          assert.deepEqual(receiver.handled, [JSON.parse(event.body)]);
        } finally {
          await receiver.stop();
        }
      });
    }

    test("takes a message under either of two secrets, and none that is older or newer than five minutes", async () => {
      for (const secret of [rotated.old, rotated.new]) {
        const receiver = await started(program, secret);
        try {
          assert.match(rotated.ping.headers["webhook-signature"], /^v1,\S+ v1,\S+$/);
          assert.deepEqual(await receiver.post(rotated.ping), [200, "pong"]);
          for (const [offset, answer] of [[-301, 401], [-290, 200], [290, 200], [310, 401]]) {
            const then = signed(secret, rotated.ping, { "webhook-timestamp": String(seconds() + offset) });
            assert.equal((await receiver.post(then))[0], answer, String(offset));
          }
          for (const time of ["", "soon", "1e999"])
            assert.equal((await receiver.post(signed(secret, rotated.ping, { "webhook-timestamp": time })))[0], 401, time);
        } finally {
          await receiver.stop();
        }
      }
    });

    test("tells every event apart, remembers across a restart, and answers nonsense", async () => {
      const folder = aFolder();
      const receiver = await started(program, SECRETS.ASCII, folder);
      try {
        for (const event of Object.values(events)) assert.deepEqual(await receiver.post(event), [200, "handled"]);
        // What it prints may come after its answer.
        await until(() => receiver.handled.length === Object.keys(events).length);
        assert.deepEqual(receiver.handled.map(({ type }) => type), Object.keys(events));
        const twice = signed(SECRETS.ASCII, events["tenant.failed"], { "webhook-id": "evt_at_once", "webhook-timestamp": String(seconds()) });
        const answers = await Promise.all(Array.from({ length: 8 }, () => receiver.post(twice)));
        assert.deepEqual(answers.filter(([, text]) => text === "handled").length, 1, "of eight at once one is handled");
        assert.equal((await receiver.post({ headers: {}, body: "x".repeat(1_000_001) }))[0], 413);
        assert.ok([405, 501].includes((await receiver.post({ headers: {} }, { method: "PUT", body: "" }))[0]));
      } finally {
        await receiver.stop();
      }
      const again = await started(program, SECRETS.ASCII, folder);
      try {
        for (const event of Object.values(events)) assert.deepEqual(await again.post(event), [200, "seen before"]);
      } finally {
        await again.stop();
      }
    });

    test("does not start without a secret", async () => {
      await assert.rejects(started(program, "too short"), /ended with 1/);
      await assert.rejects(started(program, "whsec_c2hvcnQ="), /ended with 1/);
    });
  });
}

test("another implementation of Standard Webhooks takes what it can have a key for", () => {
  const verify = (secret, { body, headers }, options) => new Webhook(secret, options).verify(body, headers);
  for (const name of ["ASCII", "24 bytes in base64", "base64 with signs and padding"]) {
    const { secret, ping, event } = deliveries[name];
    const options = secret.startsWith("whsec_") ? {} : { format: "raw" };
    assert.deepEqual([ping, event].map((one) => verify(secret, one, options).type), ["webhook.ping", "tenant.provisioned"], name);
  }
  const { secret, event } = deliveries["no ASCII"];
  assert.equal(verify(new TextEncoder().encode(secret), event, { format: "raw" }).type, "tenant.provisioned");
});

describe("the blueprint for Make", () => {
  const all = [...modulesOf(BLUEPRINT.flow)];
  const named = (name) => all.find(({ module }) => module.metadata.designer.name === name).module;
  /** The blueprint as it is after whoever imported it has put their secret in. */
  function withSecret(secret) {
    const copy = structuredClone(BLUEPRINT);
    [...modulesOf(copy.flow)].find(({ module }) => module.metadata.designer.name === "Your secret").module.mapper.value = secret;
    return copy;
  }
  const run = (secret, delivery, options) => runScenario(withSecret(secret), delivery, options);

  test("has the form that Make imports", () => {
    // As https://github.com/integromat/make-blueprints checks it, and the versions that it uses.
    const VERSIONS = {
      "gateway:CustomWebHook": 1,
      "gateway:WebhookRespond": 1,
      "util:SetVariable2": 1,
      "json:ParseJSON": 1,
      "datastore:ExistRecord": 1,
      "datastore:AddRecord": 1,
      "builtin:BasicRouter": 1,
      "builtin:Ignore": 1,
    };
    assert.deepEqual(Object.keys(BLUEPRINT), ["name", "flow", "metadata"]);
    assert.equal(BLUEPRINT.metadata.version, 1);
    assert.deepEqual(BLUEPRINT.metadata.designer.orphans, []);
    assert.equal(all[0].module.module, "gateway:CustomWebHook");
    assert.equal(all[0].module.filter, undefined);
    assert.equal(new Set(all.map(({ module }) => module.id)).size, all.length, "ids are unique");
    const places = all.map(({ module }) => `${module.metadata.designer.x} ${module.metadata.designer.y}`);
    assert.equal(new Set(places).size, all.length, "no two modules lie over each other");
    for (const { module, earlier } of all) {
      assert.equal(module.version, VERSIONS[module.module], module.module);
      assert.ok(module.metadata.designer.name);
      // Webhook and data store belong to an account: whoever imports it chooses theirs.
      assert.deepEqual(module.parameters ?? {}, {});
      if (module.routes) {
        assert.equal(module.mapper, null);
        assert.equal(module.filter, undefined);
        for (const { flow } of module.routes) assert.ok(flow[0].filter?.name && flow.length > 0);
      }
      const known = earlier.map(({ id }) => id);
      const text = JSON.stringify([module.mapper, module.filter]);
      for (const [, id] of text.matchAll(/[{( ](\d+)\.[`a-z]/g)) assert.ok(known.includes(Number(id)), `${module.id} uses ${id}`);
    }
  });

  for (const name of Object.keys(SECRETS).filter((one) => one !== "whsec_ and no base64")) {
    test(`takes what is signed with ${name}, each event once, and nothing else`, () => {
      const { secret, ping, event } = deliveries[name];
      const store = new Map();
      const answer = (delivery, its = secret) => {
        const { status, body, texts } = run(its, delivery, { store });
        return [status, body, texts];
      };
      assert.deepEqual(answer(ping), [200, "pong", []]);
      assert.deepEqual(answer(event), [200, "handled", ["The club is ready."]]);
      assert.deepEqual(answer(event), [200, "seen before", []]);
      assert.deepEqual([...store], [[event.headers["webhook-id"], { type: "tenant.provisioned" }]]);
      assert.deepEqual(answer(ping, ` ${secret}\n`), [200, "pong", []], "blanks that came with the copy");
      const wrong = [
        [event, SECRETS[name === "ASCII" ? "no ASCII" : "ASCII"]],
        [event, named("Your secret").mapper.value],
        [event, ""],
        [{ ...event, body: event.body.replace("starter", "pro") }],
        [{ ...event, body: "no JSON" }],
        [with_(event, { "webhook-id": "evt_another" })],
        [with_(event, { "webhook-timestamp": "soon" })],
        [with_(event, { "webhook-signature": "v1," })],
        [with_(event, { "webhook-signature": event.headers["webhook-signature"].replaceAll("v1,", "v2,") })],
      ];
      for (const [delivery, its] of wrong) assert.deepEqual([answer(delivery, its)[0], answer(delivery, its)[2]], [401, []]);
      assert.equal(store.size, 1);
    });
  }

  test("takes nothing that is signed with the text that stands in for a secret, or with none", () => {
    for (const secret of [named("Your secret").mapper.value, "", " ".repeat(20), "whsec_", "fifteen letters"]) {
      const forged = signed(secret.trim(), events["tenant.failed"]);
      assert.equal(run(secret, forged).status, 401, secret);
      // The plain hash, which is what a function may answer that has no key.
      const plain = createHash("sha256").update(`${forged.headers["webhook-id"]}.${forged.headers["webhook-timestamp"]}.${forged.body}`);
      assert.equal(run(secret, with_(forged, { "webhook-signature": `v1,${plain.digest("base64")}` })).status, 401, secret);
    }
  });

  test("takes a message under either of two secrets, and none that is older or newer than five minutes", () => {
    for (const secret of [rotated.old, rotated.new]) {
      const sent = Number(rotated.ping.headers["webhook-timestamp"]);
      for (const [passed, status, body] of [
        [0, 200, "pong"],
        [300, 200, "pong"],
        [301, 401, named("Answer: too old").mapper.body],
        [-300, 200, "pong"],
        [-301, 401, named("Answer: too old").mapper.body],
      ]) {
        const answer = run(secret, rotated.ping, { now: sent + passed });
        assert.deepEqual([answer.status, answer.body], [status, body], String(passed));
        assert.equal(run(secret, signed(secret, events["tenant.failed"], { "webhook-timestamp": String(sent) }), { now: sent + passed }).status, status);
      }
    }
  });

  test("has a route for every event that a tenant's webhook is sent, and one for those to come", () => {
    const types = Object.keys(API.webhooks).filter((type) => type !== "webhook.ping" && API.webhooks[type].post.tags.includes("Webhooks"));
    assert.deepEqual(Object.keys(events).sort(), types.sort());
    const ends = types.map((type) => run(SECRETS.ASCII, events[type]));
    for (const { status, body, texts } of ends) assert.deepEqual([status, body, texts.length], [200, "handled", 1]);
    const later = signed(SECRETS.ASCII, { ...events["tenant.failed"], body: '{"type":"tenant.later","timestamp":"","data":{}}' });
    const last = run(SECRETS.ASCII, later);
    assert.deepEqual(last.texts, ["News from Tenantry: tenant.later."]);
    const routes = [...ends, last].map(({ ran }) => ran.at(-1));
    assert.equal(new Set(routes).size, types.length + 1, routes.join(", "));
    assert.match(ends[types.indexOf("tenant.failed")].texts[0], /WEBHOOK_REJECTED/);
  });

  test("says which settings of the webhook are missing", () => {
    for (const webhook of [{ getsHeaders: false }, { passesJson: false }, { getsHeaders: false, passesJson: false }])
      for (const one of [deliveries.ASCII.ping, deliveries.ASCII.event])
        assert.equal(run(SECRETS.ASCII, one, { webhook }).status, 400, JSON.stringify(webhook));
  });

  test("asks for an event again that it could not remember", () => {
    const { event } = deliveries.ASCII;
    const full = Object.assign(new Map(), { isFull: true });
    const { status, texts } = run(SECRETS.ASCII, event, { store: full });
    assert.deepEqual([status, texts], [503, []]);
    assert.deepEqual(run(SECRETS.ASCII, event).status, 200);
  });
});
