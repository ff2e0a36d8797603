// The built product notices a restored database in the real runtime. The witness is an object of the breakers' class, under a name of its
// own.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startHarness } from "./harness.mjs";

let h;
before(async () => {
  h = await startHarness();
});
after(() => h?.close());

const says = async () => (await h.api("GET", "/health/ready")).body;
const words = () => h.logs().map(({ msg }) => msg);
const resume = async () => {
  const { body } = await h.api("POST", "/api/v1/bgops/provisioning/resume", { token: h.token(), body: { reason: "checked" } });
  return body.data;
};

test("a new database gets its id, and is not paused", async () => {
  for (let n = 0; n < 3; n++) await h.sweep();
  const [{ value }] = await h.sql("select value from feature_flags where name = 'database_id'");
  assert.ok(Number.isSafeInteger(value) && value > 0, String(value));
  assert.equal((await says()).provisioning, "on");
  assert.ok(!words().includes("database_restored"));
  assert.ok(!words().includes("witness_unavailable"), "the object reads what it is told");
});

test("one that is put back by an hour is paused by the next sweep, until somebody resumes it", async () => {
  await h.sql("update measures set value = value - 3600 where name = 'sweep_ended_at'");
  h.clearLogs();
  await h.sweep();
  const ready = await says();
  assert.deepEqual([ready.ok, ready.provisioning, ready.signups], [true, "paused", "open"]);
  assert.ok(words().includes("database_restored"));
  const [entry] = await h.sql("select actor, action, subject from audit_log order by id desc limit 1");
  assert.deepEqual(entry, { actor: "system", action: "provisioning.pause", subject: "provisioning" });

  assert.deepEqual(await resume(), { provisioning: "on", changed: true });
  await h.sweep();
  assert.equal((await says()).provisioning, "on");
});

test("another's is paused, too", async () => {
  await h.sql("update feature_flags set value = value + 1 where name = 'database_id'");
  await h.sweep();
  assert.equal((await says()).provisioning, "paused");
  await resume();
  await h.sweep();
  assert.equal((await says()).provisioning, "on");
});

test("the breakers are told as before", async () => {
  const { body } = await h.api("GET", "/api/v1/bgops/upstreams", { token: h.token() });
  assert.ok(body.data.every(({ state }) => state === "closed"), JSON.stringify(body.data));
});
