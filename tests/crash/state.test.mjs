// The product and its sandbox are two runtimes that start, are killed and are started again independently. A database that both had open
// could be locked by one while the other starts.
import assert from "node:assert/strict";
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { sep } from "node:path";
import { after, test } from "node:test";
import { startService } from "../../scripts/lib/service.mjs";

const service = await startService();
after(() => service.stop());

test("the product and the sandbox have no file of the state in common", () => {
  const runtimes = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).map(stateOpenIn).filter((files) => files.size > 0);
  assert.equal(runtimes.length, 2, "a runtime each");
  const [one, other] = runtimes;
  assert.deepEqual([...one].filter((file) => other.has(file)), []);
});

/** What a workerd has open of the service's state; nothing for a process that is none, has ended, or is another user's. */
function stateOpenIn(pid) {
  const lookedUp = (look) => {
    try {
      return look();
    } catch {
      return undefined;
    }
  };
  if (lookedUp(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim()) !== "workerd") return new Set();
  const descriptors = lookedUp(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  const files = descriptors.map((fd) => lookedUp(() => readlinkSync(`/proc/${pid}/fd/${fd}`)));
  return new Set(files.filter((file) => file?.startsWith(service.stateDir + sep)));
}
