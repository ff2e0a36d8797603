// What the system says of processes.
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { sep } from "node:path";

/** The most memory that a process ever held, in MB. */
export function peakMb(pid) {
  return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** The workerd processes that have files of this state directory open. */
export const workerdsOf = (stateDir) =>
  readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && lookedUp(() => hasOpen(pid, stateDir)));

function hasOpen(pid, stateDir) {
  if (readFileSync(`/proc/${pid}/comm`, "utf8").trim() !== "workerd") return false;
  return readdirSync(`/proc/${pid}/fd`).some((fd) => lookedUp(() => readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(stateDir + sep)));
}

/** False for a process that is none any more, or another user's. */
function lookedUp(look) {
  try {
    return look();
  } catch {
    return false;
  }
}
