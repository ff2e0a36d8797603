// A separate checkout for a script that would change something outside. It has real git, and a wrangler, an npm and a smoke test that only
// record what they are asked.
import { execFileSync, spawn } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Says what it was asked; answers with the file of that name, into --output when that is given; fails if there is one under `fails`. */
const fakeIn = (root) => `#!/usr/bin/env bash
here="${root}/.asked"
name=$(basename "$0")
printf '%s\\n' "$name $*\${WORKER_VERSION:+ ($WORKER_VERSION)}" >>"$here/log"
for key in "$name $1 $2 $3" "$name $1 $2" "$name $1"; do
  key=\${key// /-}
  [ ! -e "$here/fails/$key" ] || { cat "$here/fails/$key" >&2; exit "$(cat "$here/codes/$key" 2>/dev/null || echo 1)"; }
  if [ -e "$here/answers/$key" ]; then answer=$here/answers/$key; break; fi
done
for key in "$name $1 $2" "$name $1"; do
  if [ -d "$here/then/\${key// /-}" ]; then cp "$here/then/\${key// /-}/"* "$here/answers/"; fi
done
output=$(sed -n 's/.* --output \\([^ ]*\\).*/\\1/p' <<<"$*")
file=$(sed -n 's/.* --file \\([^ ]*\\).*/\\1/p' <<<"$*")
[ -z "$file" ] || cp "$file" "$here/file"
if [ -n "$output" ]; then cp "$answer" "$output"; elif [ -n "\${answer:-}" ]; then cat "$answer"; fi
[ -z "\${WRANGLER_OUTPUT_FILE_PATH:-}" ] || printf '%s\\n' '{"type":"wrangler-session"}' '{"type":"version-upload","version_id":"uploaded"}' >"$WRANGLER_OUTPUT_FILE_PATH"
`;

/** Makes it in `root`, which must not exist, with everything committed on main. With `real`, its wrangler, npm and smoke test are. */
export function makeCheckout(root, { real = false } = {}) {
  mkdirSync(join(root, "node_modules"), { recursive: true });
  for (const path of ["scripts", "migrations", "wrangler.toml", "package.json", "package-lock.json", ".gitignore"]) {
    cpSync(join(ROOT, path), join(root, path), { recursive: true });
  }
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (real || name !== ".bin") symlinkSync(join(ROOT, "node_modules", name), join(root, "node_modules", name));
  }
  if (!real) for (const path of ["node_modules/.bin/wrangler", "node_modules/.bin/npm", "scripts/smoke-test.sh"]) fake(path);
  mkdirSync(join(root, ".asked/answers"), { recursive: true });
  mkdirSync(join(root, ".asked/fails"));
  mkdirSync(join(root, ".asked/codes"));

  function fake(path) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    rmSync(join(root, path), { force: true });
    writeFileSync(join(root, path), fakeIn(root));
    chmodSync(join(root, path), 0o755);
  }

  const git = (...args) =>
    execFileSync("git", ["-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false", ...args], {
      cwd: root,
      encoding: "utf8",
    }).trim();
  appendFileSync(join(root, ".gitignore"), "/.asked/\n");
  git("init", "--quiet", "--initial-branch=main");
  git("add", "-A");
  git("commit", "--quiet", "-m", "A checkout");

  return {
    root,
    git,
    path: (...parts) => join(root, ...parts),
    /** Changes a file's text and commits it. */
    edit(path, change) {
      writeFileSync(join(root, path), change(existsSync(join(root, path)) ? readFileSync(join(root, path), "utf8") : ""));
      git("add", "-A");
      git("commit", "--quiet", "-m", `Change ${path}`);
    },
    /** What a command prints: `answer("wrangler secret list", […])`. */
    answer: (command, value) =>
      writeFileSync(join(root, ".asked/answers", command.replaceAll(" ", "-")), typeof value === "string" ? value : JSON.stringify(value)),
    /** What `question` prints from when `command` has run. */
    // biome-ignore lint/suspicious/noThenProperty: three arguments, and nobody awaits it
    then(command, question, value) {
      const folder = join(root, ".asked/then", command.replaceAll(" ", "-"));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, question.replaceAll(" ", "-")), JSON.stringify(value));
    },
    fail(command, why = "no\n", code = 1) {
      writeFileSync(join(root, ".asked/fails", command.replaceAll(" ", "-")), why);
      writeFileSync(join(root, ".asked/codes", command.replaceAll(" ", "-")), String(code));
    },
    /** The file that was given with --file last. */
    given: () => readFileSync(join(root, ".asked/file"), "utf8"),
    mend: (command) => rmSync(join(root, ".asked/fails", command.replaceAll(" ", "-")), { force: true }),
    /** Runs a script of the checkout; answers its exit code, its output, and what it asked for. */
    run(script, args, env = {}) {
      const log = join(root, ".asked/log");
      writeFileSync(log, "");
      const [command, first] = script.endsWith(".sh") ? [join(root, script), []] : [process.execPath, [join(root, script)]];
      return new Promise((done) => {
        const child = spawn(command, [...first, ...args], {
          cwd: root,
          env: { PATH: process.env.PATH, HOME: root, NODE_COMPILE_CACHE: join(dirname(root), "compiled"), ...env },
        });
        let printed = "";
        for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (printed += chunk));
        child.on("close", (status) => done({ status, printed, asked: readFileSync(log, "utf8").split("\n").slice(0, -1) }));
      });
    },
  };
}
