// What a calm soak is compared with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compared, counted, predicted } from "./counts.mjs";

const RECORDED = {
  starter: { signup: ["d1 5", "breaker", "resend"], run: ["d1 0", "make", "d1 20"] },
  pro: { signup: ["d1 4"], run: ["object"] },
};

test("each plan calls as often as its tenants do, and changes their rows", () => {
  assert.deepEqual(predicted(RECORDED, { starter: 3, pro: 2 }), { d1: 11, rows: 83, breaker: 3, resend: 3, make: 3, object: 2 });
});

test("calls count where they went, whoever made them, but for an isolate's own", () => {
  const calls = [
    { by: "request", kind: "batch", rowsChanged: 5 },
    { by: "object", kind: "batch", rowsChanged: 20 },
    { by: "mail", kind: "failed batch" },
    { by: "tally", kind: "batch", rowsChanged: 3 },
    { by: "request", kind: "object" },
    { by: "object", kind: "breaker", upstream: "resend" },
    { by: "mail", kind: "egress", host: "api.resend.com" },
    { by: "object", kind: "egress", host: "script.google.com" },
    { by: "object", kind: "egress", host: "script.googleusercontent.com" },
    { by: "object", kind: "egress", host: "elsewhere.example" },
  ];
  const upstreams = { resend: 1, apps_script: 1, "elsewhere.example": 1 };
  assert.deepEqual(counted(calls), { d1: 3, rows: 25, object: 1, breaker: 1, ...upstreams });
});

test("a deviation is a share of what the model says, either way", () => {
  const of = (model, counted) => compared({ d1: model }, { d1: counted })[0].off;
  assert.equal(of(100, 125), 0.25);
  assert.equal(of(100, 70), -0.3);
  assert.equal(of(0, 0), 0);
});

test("what the model does not know of is infinitely more, and what never came is all too few", () => {
  assert.deepEqual(compared({ make: 4 }, { sheets: 1 }), [
    { name: "make", model: 4, counted: 0, off: -1 },
    { name: "sheets", model: 0, counted: 1, off: Infinity },
  ]);
});
