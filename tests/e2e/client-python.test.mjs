// A Python client that is generated from openapi.json, against the running service: client.py. PYTHON names an interpreter that has what
// such a client needs; scripts/test.mjs sets it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { tenantForm, startHarness } from "./harness.mjs";

const h = await startHarness();
after(() => h.close());

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));

test("a tenant signs up and goes live, and a failure is typed", async () => {
  const { clubSlug } = tenantForm();
  const env = { ...process.env, PYTHONPATH: path("../../build/python"), BASE_URL: h.url.origin, SANDBOX_URL: `http://127.0.0.1:${await h.serveSandbox()}`, SLUG: clubSlug };
  const { stdout } = await promisify(execFile)(process.env.PYTHON, ["-W", "error", path("client.py")], { env });
  const { steps, errors, ...rest } = JSON.parse(stdout);
  assert.deepEqual(rest, { status: "completed", progress: 100, refused: ["INVALID_TOKEN", "VALIDATION"] });
  assert.ok(Object.keys(steps).length > 5 && Object.values(steps).every((status) => status === "completed"), stdout);
  assert.ok(errors.every((error) => error === null), "what is not there is null, and read as such");
});
