// Which tests are asked for: suites by their names, or one suite and some of its files.
import { existsSync, readdirSync } from "node:fs";
import { Failure, at } from "./project.mjs";

/** The suites of which a part can be run: each of their files stands for itself. */
const IN_FILES = ["e2e", "crash", "browser"];
const ENDING = /\.test\.m[jt]s$/;

/** `{names, files}`: the suites that are asked for among `all`, and of a single one the files, when only some are. */
export function choice(asked, all) {
  const unknown = asked.find((name) => !all.includes(name));
  if (unknown === undefined) return { names: asked.length > 0 ? asked : all, files: [] };
  const [suite, ...files] = asked;
  if (!IN_FILES.includes(suite) || files.some((name) => all.includes(name))) {
    throw new Failure(`No such suite: ${unknown}. There are ${all.join(", ")}.`);
  }
  const there = filesOf(suite).map((file) => file.replace(ENDING, ""));
  const missing = files.find((name) => !there.includes(name));
  if (missing !== undefined) throw new Failure(`No such file in tests/${suite}: ${missing}. There are ${there.join(", ")}.`);
  return { names: [suite], files };
}

/** The paths of a suite's files, or of those that are named, without their ending. */
export const pathsOf = (suite, names = []) =>
  filesOf(suite)
    .filter((file) => names.length === 0 || names.includes(file.replace(ENDING, "")))
    .map((file) => `tests/${suite}/${file}`);

function filesOf(suite) {
  const directory = at("tests", suite);
  return existsSync(directory) ? readdirSync(directory).filter((name) => ENDING.test(name)).sort() : [];
}
