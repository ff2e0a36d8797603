// scripts/monitoring: what operators copy. promtool, which reads as Prometheus does, loads it and tries the rules on histories that are
// known. Every alert is tried, names existing metrics, and has a section of the runbook.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promtool } from "../../scripts/lib/setup.mjs";

const at = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const read = (path) => readFileSync(at(path), "utf8");
const PROMTOOL = await promtool();
const folder = mkdtempSync(join(tmpdir(), "tenantry-monitoring-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const RULES = read("scripts/monitoring/rules.yml");
const TESTS = read("tests/e2e/alerts.yml");
const RUNBOOK = read("RUNBOOK.md");
const alerts = [...RULES.matchAll(/- alert: (\w+)/g)].map(([, name]) => name);

/** What promtool says; `cwd` is where its files are. */
function ask(args, cwd) {
  return new Promise((done) => {
    execFile(PROMTOOL, args, { cwd }, (error, stdout, stderr) => done({ status: error?.code ?? 0, printed: stdout + stderr }));
  });
}

async function succeeds(args, cwd) {
  const { status, printed } = await ask(args, cwd);
  assert.equal(status, 0, printed);
}

test("Prometheus takes the configuration and the rules", async () => {
  cpSync(at("scripts/monitoring"), folder, { recursive: true });
  writeFileSync(join(folder, "metrics-token"), "a token");
  await succeeds(["check", "config", "prometheus.yml"], folder);
  await succeeds(["check", "rules", "--lint-fatal", "rules.yml"], folder);
});

test("known histories are recorded as they were, and call whom they should", () => succeeds(["test", "rules", at("tests/e2e/alerts.yml")]));

test("a rule that is wrong would be found", async () => {
  writeFileSync(join(folder, "rules.yml"), RULES.replace("tenantry_removals{state=\"compensation_failed\"} > 0", "tenantry_removals > 99"));
  writeFileSync(join(folder, "alerts.yml"), TESTS.replace("../../scripts/monitoring/rules.yml", "rules.yml"));
  const { status, printed } = await ask(["test", "rules", "alerts.yml"], folder);
  assert.ok(status !== 0 && printed.includes("TenantryRemovalFailed"), printed);
});

test("every alert is tried while it should be silent, or while it should call", () => {
  assert.ok(alerts.length > 10 && new Set(alerts).size === alerts.length);
  for (const name of alerts) {
    const calls = new RegExp(`alertname: ${name}\\n\\s+exp_alerts:\\n`).test(TESTS);
    const silent = new RegExp(`alertname: ${name}, exp_alerts: \\[\\]`).test(TESTS);
    assert.ok(calls && silent, `${name}: ${calls ? "when is it silent" : "when does it call"}?`);
  }
});

test("every metric that a rule names is one of ours", () => {
  const source = read("src/http/routes/metrics.rs");
  const expressions = RULES.split("\n").filter((line) => !/^\s*(#|- alert|- name)/.test(line)).join("\n");
  const named = new Set([...expressions.matchAll(/\btenantry_\w+/g)].map(([name]) => name.replace(/_(bucket|count|sum)$/, "")));
  assert.ok(named.size > 8);
  for (const name of named) assert.ok(source.includes(`"${name}"`), name);
});

test("the runbook has a line for every alert, and the section that it names", () => {
  for (const name of alerts) assert.ok(RUNBOOK.includes(`\`${name}\``), name);
  const anchors = [...RUNBOOK.matchAll(/^#+ (.*)$/gm)].map(([, title]) => title.toLowerCase().replaceAll(/[^\w -]/g, "").replaceAll(" ", "-"));
  for (const [, anchor] of RULES.matchAll(/RUNBOOK\.md#([\w-]+)/g)) assert.ok(anchors.includes(anchor), anchor);
});
