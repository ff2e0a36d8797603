// The model against what is known without it: one server, no queue, a quota, a fault.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { limits, share, simulate } from "./model.mjs";
import { PUBLISHED } from "./settings.mjs";

const ONE = { ...PUBLISHED, d1: { readMs: 1, writeMs: 10, rowMs: 1 }, networkMs: 0, backoffMs: 10, upstreams: { mail: { perSecond: 2, ms: 100, fails: 0.5 } } };
const NOTHING = { signup: [], brand: [], queue: [], run: [], afterwards: [] };
const mix = { starter: 1 };
const ways = (way) => ({ starter: { ...NOTHING, ...way } });
const play = (recorded, settings, more) => simulate(recorded, settings, { tenants: 20_000, perSecond: 25, mix, seed: 7, ...more });

test("alone, a signup takes what its calls take", () => {
  const { signup } = play(ways({ signup: ["d1 5", "d1 0"] }), ONE, { tenants: 1 });
  assert.deepEqual(signup.map(Math.round), [16]);
});

test("a register takes as many as it has time for, and N registers N times as many", () => {
  const recorded = ways({ signup: ["d1 10"], run: ["d1 10"] });
  assert.equal(limits(recorded, ONE, mix).d1, 25);
  assert.equal(limits(recorded, { ...ONE, registers: 4 }, mix).d1, 100);
});

test("a queue in front of D1 is as long as the theory of queues says", () => {
  // Poisson arrivals, constant service of 20 ms, half busy: a wait of 10 ms on average (Pollaczek–Khinchine).
  const { signup, busy } = play(ways({ signup: ["d1 10"] }), ONE);
  const mean = signup.reduce((sum, ms) => sum + ms, 0) / signup.length;
  assert.ok(Math.abs(mean - 30) < 1.5, `${mean} ms`);
  assert.ok(Math.abs(busy - 0.5) < 0.02, `${busy} busy`);
});

test("a quota holds, and what failed is called again", () => {
  const recorded = ways({ afterwards: ["mail"] });
  assert.equal(limits(recorded, ONE, mix).mail, 1);
  const { ms } = play(recorded, ONE, { tenants: 500, perSecond: Infinity });
  assert.ok(ms > 450_000 && ms < 560_000, `${ms} ms for a thousand calls at two a second`);
});

test("only so many are called at once", () => {
  const settings = { ...ONE, upstreams: { sheets: { atOnce: 5, ms: 1000 } } };
  const recorded = ways({ run: ["sheets"] });
  assert.equal(limits(recorded, settings, mix).sheets, 5);
  const { ms } = play(recorded, settings, { tenants: 500, perSecond: Infinity });
  assert.ok(ms > 90_000 && ms < 115_000, `${ms} ms`);
});

test("the same seed plays the same", () => {
  const recorded = JSON.parse(readFileSync(new URL("calls.json", import.meta.url), "utf8"));
  const one = () => simulate(recorded, PUBLISHED, { tenants: 200, perSecond: 1, mix: { starter: 0.5, pro: 0.5 }, seed: 3 });
  assert.deepEqual(one(), one());
  assert.equal(share(one().run, 0.5) > 0, true);
});
