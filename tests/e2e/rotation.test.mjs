// JWT_SECRET changes while everybody works. scripts/rotate-jwt-secret.sh rewrites a copy of .dev.vars. The service is started again with
// that file after each of its steps.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tenantForm, startHarness, token, until } from "./harness.mjs";

const SCRIPT = fileURLToPath(new URL("../../scripts/rotate-jwt-secret.sh", import.meta.url));
const OLD = "the first secret, as long as one has to be: +/=";
const NEW = "the second secret, which NEW_JWT_SECRET brings";
const YEAR_SECONDS = 365 * 86_400;

const directory = mkdtempSync(join(tmpdir(), "tenantry-rotation-"));
const FILE = join(directory, ".dev.vars");
const REST = '# Development\'s secrets.\nGAS_HMAC_SECRET="kept as it is: a=b"\n\nDATA_KEY="kept, too"\n';
writeFileSync(FILE, `# The key of every token\nJWT_SECRET="${OLD}"\n${REST}`, { mode: 0o600 });

const h = await startHarness({ secrets: secretsIn(FILE) });
after(async () => {
  await h.close();
  rmSync(directory, { recursive: true, force: true });
});

const seconds = () => Math.floor(Date.now() / 1000);
const part = (jwt, n) => JSON.parse(Buffer.from(jwt.split(".")[n], "base64url"));
const kid = (jwt) => part(jwt, 0).kid;
const isSignedBy = (jwt, secret) => {
  const [header, payload, signature] = jwt.split(".");
  return createHmac("sha256", secret).update(`${header}.${payload}`).digest("base64url") === signature;
};
const whoami = (jwt) => h.api("GET", "/whoami", { token: jwt });
const redeem = (linkToken) => h.api("POST", "/auth/magic/verify", { body: { token: linkToken } });

/** The JWT secrets that a file of secrets holds, as the service reads it; what it does not name counts as absent. */
function secretsIn(file) {
  const lines = readFileSync(file, "utf8").matchAll(/^(JWT_(?:SECRET|ROTATED_AT)\w*)="(.*)"$/gm);
  return {
    JWT_SECRET: "",
    JWT_SECRET_NEXT: "",
    JWT_SECRET_PREVIOUS: "",
    JWT_ROTATED_AT: "",
    ...Object.fromEntries([...lines].map(([, name, value]) => [name, value])),
  };
}

/** The three secrets of a rotation in a file. */
function threeIn(file) {
  const { JWT_SECRET, JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS } = secretsIn(file);
  return [JWT_SECRET, JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS];
}

/** Runs the script; `stages` gets a copy of FILE as it stands before each of its steps. */
function rotate(args, { stages, script = SCRIPT, ...variables } = {}) {
  const env = { PATH: process.env.PATH, HOME: directory, ...variables };
  if (stages) {
    mkdirSync(stages);
    const trace = join(directory, "trace.sh");
    writeFileSync(trace, `n=0; trap 'case $BASH_COMMAND in "step "*) cp "${FILE}" "${stages}/$n"; n=$((n + 1));; esac' DEBUG\n`);
    env.BASH_ENV = trace;
  }
  const { status, stdout, stderr } = spawnSync(script, args, { env, encoding: "utf8", cwd: tmpdir() });
  return { status, printed: stdout + stderr };
}

/** A tenant admin's token as the runbook's snippet makes one: no `kid`. */
const byHand = (tenant, secret) =>
  token({ aud: "syston-mobile", roles: ["tenant_admin"], tenantId: tenant.tenantId, ttl: YEAR_SECONDS }, secret);

async function assertAdmitted(jwt, what) {
  const { tenantId, aud } = part(jwt, 1);
  const answers = [await whoami(jwt)];
  if (tenantId) answers.push(await h.api("GET", `/api/v1/tenants/${tenantId}/provision-status`, { token: jwt }));
  if (aud === "syston-mobile") {
    const body = { primaryColor: "#112233", secondaryColor: "#445566" };
    answers.push(await h.api("POST", "/public/signup/brand", { token: jwt, body }));
  }
  for (const { status, body } of answers) assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`);
}

async function assertRefused(jwt, what) {
  const { status, body } = await whoami(jwt);
  assert.deepEqual([status, body.error?.code], [401, "INVALID_TOKEN"], what);
}

async function mailedLink(tenant) {
  await h.sql("update tenants set link_mailed_at = 0 where id = ?", tenant.tenantId);
  const before = (await h.links(tenant.email)).length;
  assert.equal((await h.api("POST", "/auth/magic/start", { body: { email: tenant.email } })).status, 202);
  return (await until(async () => (await h.links(tenant.email))[before])).linkToken;
}

// What was given out before anybody thought of a rotation.
const founder = await h.signup();
const operator = token({}, OLD);
const oldLinks = [await mailedLink(founder), await mailedLink(founder)];
/** Every token given out so far that has to work, by what it is. */
const living = { "a signup's": founder.jwt, "one without kid": byHand(founder, OLD) };

async function assertAllAdmitted() {
  for (const [what, jwt] of Object.entries(living)) await assertAdmitted(jwt, what);
}

describe("the routine path, no tenant notices", () => {
  const stages = join(directory, "routine");
  const signs = ["OLD", "OLD", "OLD", "NEW", "NEW"];
  const names = {
    0: "the secret alone",
    1: "the next one is accepted",
    2: "the old one will stay accepted",
    3: "the new one signs",
    4: "the next one is done with",
  };

  test("the script does it in a file, and shows no secret", () => {
    const { status, printed } = rotate(["routine", "--local", FILE], { stages, NEW_JWT_SECRET: NEW });
    assert.equal(status, 0, printed);
    copyFileSync(FILE, join(stages, "4"));
    for (const secret of [OLD, NEW]) assert.ok(!printed.includes(secret));
    assert.match(printed, /\n· .* once npm start begins anew\.\n✓/, "what runs has read the file already");
    assert.ok(readFileSync(FILE, "utf8").includes(REST), "everything else is as it was");
    assert.equal(statSync(FILE).mode & 0o777, 0o600);
    const [none, old] = ["", OLD];
    assert.deepEqual(
      [0, 1, 2, 3, 4].map((stage) => threeIn(join(stages, String(stage)))),
      [
        [old, none, none],
        [old, NEW, none],
        [old, NEW, old],
        [NEW, NEW, old],
        [NEW, none, old],
      ],
    );
    const ends = [0, 1, 2, 3, 4].map((stage) => Number(secretsIn(join(stages, String(stage))).JWT_ROTATED_AT));
    const [, , end] = ends;
    assert.deepEqual(ends, [0, 0, end, end, end], "with the secret that it is the end of");
    assert.ok(end > seconds() && end <= seconds() + 600, "what is signed while the secrets change counts as signed before");
  });

  for (const [stage, name] of Object.entries(names)) {
    test(`${name}: tokens of both secrets work, and new ones are signed by the right one`, async () => {
      if (stage !== "0") await h.reconfigure({ secrets: secretsIn(join(stages, stage)) });
      for (const path of ["/health/startup", "/health/ready"]) assert.equal((await h.api("GET", path)).status, 200);
      await assertAllAdmitted();
      // Operators and machines make new tokens.
      const ofStaff = [operator, token({ aud: "internal", roles: ["service"], ttl: 300 }, OLD)];
      for (const jwt of ofStaff) {
        if (signs[stage] === "OLD") await assertAdmitted(jwt, "an operator's");
        else await assertRefused(jwt, "the old secret admits nobody but clubs");
      }
      await assertAdmitted(token({}, signs[stage] === "OLD" ? OLD : NEW), "an operator's new token");
      if (stage === "0") await assertRefused(byHand(founder, NEW), "not before it is announced");
      else await assertAdmitted(byHand(founder, NEW), "a token of the new secret");

      const tenant = await h.signup();
      const { iat, exp } = part(tenant.jwt, 1);
      assert.equal(exp - iat, YEAR_SECONDS);
      const secret = signs[stage] === "NEW" ? NEW : OLD;
      assert.ok(isSignedBy(tenant.jwt, secret));
      assert.equal(kid(tenant.jwt) === kid(founder.jwt), secret === OLD, "each key has a name of its own, and only one");
      living[`a signup's when ${name}`] = tenant.jwt;
    });
  }

  test("the old secret mints nothing that is issued after the rotation", async () => {
    const past = { ...secretsIn(FILE), JWT_ROTATED_AT: String(seconds() - 1) };
    await h.reconfigure({ secrets: past });
    const { tenantId } = founder;
    const claims = { aud: "syston-mobile", roles: ["tenant_admin"], tenantId };
    await assertRefused(token({ ...claims, ttl: 3600 }, OLD), "it was not issued before");
    await assertRefused(token({ ...claims, iat: undefined, exp: seconds() + 60 }, OLD), "it does not say when");
    await h.reconfigure({ secrets: secretsIn(FILE) });
  });

  test("a kid is a hint: one that names another key, or none, refuses nobody", async () => {
    const claims = part(founder.jwt, 1);
    for (const secret of [OLD, NEW]) {
      for (const kid of [living["a signup's when the new one signs"], founder.jwt].map((jwt) => part(jwt, 0).kid)) {
        await assertAdmitted(token({ header: { kid }, ...claims }, secret), "a key under another's name");
      }
      await assertAdmitted(token({ header: { kid: "../../etc/passwd" }, ...claims }, secret), "a key under no name of ours");
    }
    await assertRefused(token({ header: { kid: kid(founder.jwt) }, ...claims }, `${OLD} `), "a foreign key under the name of ours");
  });

  test("a link that was mailed before still signs in, with a token of the new secret", async () => {
    const { status, body } = await redeem(oldLinks[0]);
    assert.equal(status, 200, JSON.stringify(body));
    assert.notEqual(kid(body.jwt), kid(founder.jwt));
    await assertAdmitted(body.jwt, "a link's token");
    living["a link's"] = body.jwt;
  });
});

describe("the emergency path, it ends at once", () => {
  test("the script leaves the new secret alone in the file, which it makes up itself", async () => {
    const { status, printed } = rotate(["emergency", "--local", FILE]);
    assert.equal(status, 0, printed);
    const { JWT_SECRET, JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS } = secretsIn(FILE);
    assert.deepEqual([JWT_SECRET_NEXT, JWT_SECRET_PREVIOUS], ["", ""]);
    assert.match(JWT_SECRET, /^[A-Za-z0-9+/]{64}$/, "48 random bytes");
    assert.match(printed, /\n· .* once npm start begins anew\.\n✓/);
    assert.ok(![OLD, NEW].includes(JWT_SECRET) && !printed.includes(JWT_SECRET));
    assert.ok(readFileSync(FILE, "utf8").includes(REST));
    await h.reconfigure({ secrets: secretsIn(FILE) });
  });

  test("every token and link from before is refused, the year-long ones, too", async () => {
    for (const [what, jwt] of Object.entries(living)) await assertRefused(jwt, what);
    const { status, body } = await redeem(oldLinks[1]);
    assert.deepEqual([status, body.error?.code], [401, "INVALID_TOKEN"]);
  });

  test("the service works, and owners come back by a mailed link", async () => {
    assert.equal((await h.api("GET", "/health/ready")).status, 200);
    const { status, body } = await redeem(await mailedLink(founder));
    assert.equal(status, 200, JSON.stringify(body));
    await assertAdmitted(body.jwt, "a link's token");
    await assertAdmitted((await h.signup()).jwt, "a signup's token");
  });
});

test("JWT_NOT_BEFORE refuses what was issued earlier, and what does not say when", async () => {
  const { JWT_SECRET } = secretsIn(FILE);
  const cutOff = seconds() - 600;
  const at = (iat, more) =>
    token({ aud: "syston-mobile", roles: ["owner"], tenantId: founder.tenantId, iat, exp: seconds() + 3600, ...more }, JWT_SECRET);
  // Its address was proven long before.
  await h.sql("update tenants set tokens_valid_after = 0 where id = ?", founder.tenantId);
  const early = [at(cutOff - 1), at(undefined), at(0), at(cutOff - 1, { aud: "syston-admin", roles: ["admin"] })];
  for (const jwt of early) await assertAdmitted(jwt, JSON.stringify(part(jwt, 1)));
  const link = await mailedLink(founder);
  await h.reconfigure({ vars: { JWT_NOT_BEFORE: String(cutOff) } });
  for (const jwt of early) await assertRefused(jwt, JSON.stringify(part(jwt, 1)));
  await assertAdmitted(at(cutOff), "a token of that very second");
  await assertAdmitted((await h.signup()).jwt, "a new token");
  assert.equal((await redeem(link)).status, 200);
});

describe("a secret that is", () => {
  for (const [name, secret, problem] of [
    ["too short", "x".repeat(31), "JWT_SECRET is shorter than 32 bytes"],
    ["missing", "", "JWT_SECRET is missing"],
  ]) {
    test(`${name} makes the service not ready, signs nothing, and spends nobody's name`, async () => {
      await h.sql("insert or ignore into promo_codes (code, discount_percent, max_uses, created_at) values ('ROTATE', 10, 1, 0)");
      await h.sql("update tenants set link_mailed_at = 0 where id = ?", founder.tenantId);
      await h.reconfigure({ secrets: { JWT_SECRET: secret, JWT_SECRET_NEXT: "", JWT_SECRET_PREVIOUS: "", JWT_ROTATED_AT: "" }, vars: { JWT_NOT_BEFORE: "" } });
      for (const path of ["/health/startup", "/health/ready", "/readyz"]) {
        const { status, body } = await h.api("GET", path);
        assert.deepEqual([status, body.ok, body.checks.configuration], [503, false, { ok: false, problem }], path);
      }
      for (const path of ["/health", "/health/live", "/healthz"]) assert.equal((await h.api("GET", path)).status, 200, path);

      const before = await h.dump();
      const form = tenantForm({ promoCode: "ROTATE" });
      for (const headers of [{}, { "idempotency-key": "rotation" }]) {
        const { status, body } = await h.api("POST", "/public/signup/start", { body: form, headers });
        assert.ok(status >= 500, `${status}`);
        assert.equal(body.jwt, undefined);
        assert.doesNotMatch(JSON.stringify(body), /JWT_SECRET|secret/i);
      }
      const { status } = await h.api("POST", "/auth/magic/start", { body: { email: founder.email } });
      assert.ok(status >= 500, `${status}`);
      for (const key of [secret || "x", "", OLD]) await assertRefused(token({}, key), "nothing is accepted either");
      assert.deepEqual(await h.dump(), before);
    });
  }

  test("good again serves again: nothing was lost meanwhile", async () => {
    await h.reconfigure({ secrets: secretsIn(FILE) });
    assert.equal((await h.api("GET", "/health/ready")).status, 200);
    await assertAdmitted((await h.signup({ promoCode: "ROTATE" })).jwt, "a signup's token");
    assert.equal((await redeem(await mailedLink(founder))).status, 200);
  });
});

describe("scripts/rotate-jwt-secret.sh", () => {
  /** A file of secrets of its own. */
  function secretsFile(text) {
    const file = join(mkdtempSync(join(directory, "case-")), ".dev.vars");
    writeFileSync(file, text);
    return file;
  }

  test("does nothing unless it was told clearly what to do where", () => {
    const file = secretsFile(`JWT_SECRET="${OLD}"\n`);
    for (const [args, variables] of [
      [[]],
      [["sometimes", "--local", file]],
      [["routine"]],
      [["emergency", "--env", "staging", "--keep", join(directory, "kept")]],
      [["emergency", "--env", "production"]],
      [["emergency", "--env"]],
      [["emergency", "--env", "production", "--keep"]],
      [["routine", "--local", join(directory, "missing")]],
      [["routine", "--local", file, "--force"]],
      [["routine", "--local", file], { NEW_JWT_SECRET: "x".repeat(31) }],
    ]) {
      const { status, printed } = rotate(args, variables);
      assert.equal(status, 2, `${args}: ${printed}`);
      assert.match(printed, /^✗ .+\n$/);
      assert.ok(!printed.includes(OLD));
    }
    assert.equal(readFileSync(file, "utf8"), `JWT_SECRET="${OLD}"\n`);
    assert.ok(!existsSync(join(directory, "kept")));
  });

  test("keeps secrets from others also in files that were there, and open to all", () => {
    const file = secretsFile(`JWT_SECRET="${OLD}"\nOTHER=1\n`);
    const kept = join(mkdtempSync(join(directory, "kept-")), "new-secret.txt");
    writeFileSync(kept, "older");
    for (const each of [file, kept]) chmodSync(each, 0o644);
    const { status, printed } = rotate(["emergency", "--local", file, "--keep", kept], { NEW_JWT_SECRET: NEW });
    assert.equal(status, 0, printed);
    for (const each of [file, kept]) assert.equal(statSync(each).mode & 0o777, 0o600, each);
    assert.equal(readFileSync(kept, "utf8"), `${NEW}\n`);
    assert.match(readFileSync(file, "utf8"), /^OTHER=1$/m);
    assert.deepEqual(readdirSync(join(file, "..")), [".dev.vars"], "nothing is left beside it");
    for (const secret of [`${NEW}\nOTHER=2`, `${NEW}"`]) assert.equal(rotate(["emergency", "--local", file], { NEW_JWT_SECRET: secret }).status, 2);
  });

  test("refuses to rotate away from a secret that it can't read", () => {
    for (const text of ["", 'JWT_SECRET=""\n', 'JWT_SECRET="too short"\n', `JWT_SECRET='${OLD}'\n`]) {
      const file = secretsFile(text);
      const { status } = rotate(["routine", "--local", file], { NEW_JWT_SECRET: NEW });
      const { JWT_SECRET_PREVIOUS } = secretsIn(file);
      if (status === 0) assert.equal(JWT_SECRET_PREVIOUS, OLD, text);
      else assert.equal(readFileSync(file, "utf8"), text);
    }
  });

  const nth = (n) => `secret number ${n}, as long as one has to be: +/=`;

  test("rotates every quarter: no rotation ends the tokens of another, unless told to", () => {
    const file = secretsFile(`JWT_SECRET="${nth(0)}"\n`);
    for (const n of [1, 2, 3, 4, 5, 6]) {
      const { status, printed } = rotate(["routine", "--local", file], { NEW_JWT_SECRET: nth(n) });
      assert.equal(status, 0, printed);
      const behind = n === 1 ? "" : `_${n}`;
      assert.match(printed, new RegExp(`Remove JWT_SECRET_PREVIOUS${behind} and JWT_ROTATED_AT${behind} after \\d{4}-\\d\\d-\\d\\d,`));
      const there = secretsIn(file);
      assert.equal(there.JWT_SECRET, nth(n));
      for (let m = 1; m <= n; m++) {
        const place = m === 1 ? "" : `_${m}`;
        assert.equal(there[`JWT_SECRET_PREVIOUS${place}`], nth(m - 1));
        assert.ok(Number(there[`JWT_ROTATED_AT${place}`]) > seconds());
      }
    }
    const full = readFileSync(file, "utf8");
    const refused = rotate(["routine", "--local", file]);
    assert.equal(refused.status, 2, "the oldest secret was dropped without a word");
    assert.match(refused.printed, /^✗ .+ --drop-previous .+\n$/);
    assert.equal(readFileSync(file, "utf8"), full);

    const { status } = rotate(["routine", "--local", file, "--drop-previous"], { NEW_JWT_SECRET: nth(7) });
    const { JWT_ROTATED_AT, ...rest } = secretsIn(file);
    assert.deepEqual([status, rest], [0, { JWT_SECRET: nth(7), JWT_SECRET_NEXT: "", JWT_SECRET_PREVIOUS: nth(6) }]);
    assert.ok(Number(JWT_ROTATED_AT) > seconds());
  });

  test("a place that was cleared is taken again, and a secret of which nobody wrote down when gets its moment", () => {
    const text = `JWT_SECRET="${nth(3)}"\nJWT_SECRET_PREVIOUS="${nth(0)}"\nJWT_SECRET_PREVIOUS_3="${nth(2)}"\nJWT_ROTATED_AT_3="1"\n`;
    const file = secretsFile(text);
    assert.equal(rotate(["routine", "--local", file], { NEW_JWT_SECRET: nth(4) }).status, 0);
    const there = secretsIn(file);
    assert.deepEqual([there.JWT_SECRET_PREVIOUS, there.JWT_SECRET_PREVIOUS_2, there.JWT_SECRET_PREVIOUS_3], [nth(0), nth(3), nth(2)]);
    assert.ok(Number(there.JWT_ROTATED_AT) > seconds() && Number(there.JWT_ROTATED_AT_2) > seconds());
    assert.equal(there.JWT_ROTATED_AT_3, "1", "each keeps its own");
  });

  test("the emergency path leaves no older secret of any place", () => {
    const file = secretsFile(`JWT_SECRET="${nth(0)}"\nOTHER="kept"\n`);
    for (const n of [1, 2, 3]) rotate(["routine", "--local", file], { NEW_JWT_SECRET: nth(n) });
    assert.equal(rotate(["emergency", "--local", file], { NEW_JWT_SECRET: nth(4) }).status, 0);
    assert.equal(readFileSync(file, "utf8").trim(), `OTHER="kept"\nJWT_SECRET="${nth(4)}"`);
  });

  describe("at Cloudflare", () => {
    /** A checkout with the script and a wrangler that only takes down what it is asked; `list` is what it says there is. */
    function checkout(list) {
      const root = mkdtempSync(join(directory, "checkout-"));
      for (const path of ["scripts", "node_modules/.bin", "asked"]) mkdirSync(join(root, path), { recursive: true });
      copyFileSync(SCRIPT, join(root, "scripts/rotate.sh"));
      const fake = [
        "#!/usr/bin/env bash",
        `n=$(ls "${root}/asked" | wc -l)`,
        `echo "$*" >"${root}/asked/$n"`,
        `case "$2" in put | delete) cat >>"${root}/asked/$n" ;; list) ${list} ;; esac`,
      ];
      writeFileSync(join(root, "node_modules/.bin/wrangler"), `${fake.join("\n")}\n`, { mode: 0o755 });
      return {
        keep: (text) => writeFileSync(join(root, "kept"), text),
        rotate: (path, variables, ...more) =>
          rotate([path, "--env", "production", "--keep", join(root, "kept"), ...more], {
            script: join(root, "scripts/rotate.sh"),
            ...variables,
          }),
        kept: () => readFileSync(join(root, "kept"), "utf8").trim(),
        mode: () => statSync(join(root, "kept")).mode & 0o777,
        /** Each call: its arguments, and what came in by standard input. */
        asked: () =>
          [...Array(20).keys()]
            .map((n) => join(root, "asked", String(n)))
            .filter(existsSync)
            .map((file) => readFileSync(file, "utf8").split("\n")),
      };
    }
    const names = (...names) =>
      `echo '${JSON.stringify(
        names.map((name) => ({ name, type: "secret_text" })),
        null,
        2,
      )}'`;
    const SILENT = "echo 'no network' >&2; exit 1";

    test("routine: secrets travel by standard input, in the order that signs nobody out", () => {
      const there = checkout(names("JWT_SECRET", "JWT_SECRET_NEXT"));
      const { status, printed } = there.rotate("routine", { JWT_SECRET: OLD });
      assert.equal(status, 0, printed);
      const fresh = there.kept();
      assert.equal(there.mode(), 0o600);
      assert.match(fresh, /^[A-Za-z0-9+/]{64}$/);
      const asked = there.asked().filter(([args]) => !args.startsWith("secret list "));
      const [[args, rotatedAt]] = asked.splice(1, 1);
      assert.equal(args, "secret put JWT_ROTATED_AT --env production", "before the secret that it is the end of");
      assert.ok(Math.abs(Number(rotatedAt) - seconds()) <= 600);
      assert.deepEqual(
        asked,
        [
          ["secret put JWT_SECRET_NEXT --env production", fresh],
          ["secret put JWT_SECRET_PREVIOUS --env production", OLD],
          ["secret put JWT_SECRET --env production", fresh],
          ["secret delete JWT_SECRET_NEXT --env production", "y", ""],
        ],
      );
      assert.ok(!printed.includes(fresh) && !printed.includes(OLD));
    });

    for (const [name, list, variables] of [
      ["without the secret of now, which Cloudflare does not show", names("JWT_SECRET"), {}],
      [
        "while six older ones are still accepted",
        names("JWT_SECRET", ...["", "_2", "_3", "_4", "_5", "_6"].map((place) => `JWT_SECRET_PREVIOUS${place}`)),
        { JWT_SECRET: OLD },
      ],
      ["when Cloudflare does not say what there is", SILENT, { JWT_SECRET: OLD }],
    ]) {
      test(`routine: is refused ${name}; what was kept from last time stays`, () => {
        const there = checkout(list);
        there.keep(`${OLD}\n`);
        assert.equal(there.rotate("routine", variables).status, 2);
        assert.deepEqual(
          there.asked().filter(([args]) => !args.startsWith("secret list ")),
          [],
        );
        assert.equal(there.kept(), OLD, "the only copy of the secret that is in force");
      });
    }

    test("routine: takes a place of its own beside older secrets", () => {
      const there = checkout(names("JWT_SECRET", "JWT_SECRET_PREVIOUS", "JWT_ROTATED_AT", "JWT_SECRET_PREVIOUS_3", "JWT_ROTATED_AT_3"));
      assert.equal(there.rotate("routine", { JWT_SECRET: OLD }).status, 0);
      const put = there.asked().flatMap(([args]) => /^secret put (\w+) /.exec(args)?.[1] ?? []);
      assert.deepEqual(put, ["JWT_SECRET_NEXT", "JWT_ROTATED_AT_2", "JWT_SECRET_PREVIOUS_2", "JWT_SECRET"]);
    });

    test("routine: ends the older secrets' tokens when told to", () => {
      const older = ["JWT_SECRET_PREVIOUS", "JWT_ROTATED_AT", "JWT_SECRET_PREVIOUS_2", "JWT_ROTATED_AT_2"];
      const there = checkout(names("JWT_SECRET", ...older));
      assert.equal(there.rotate("routine", { JWT_SECRET: OLD }, "--drop-previous").status, 0);
      assert.ok(there.asked().some(([args, value]) => args.startsWith("secret put JWT_SECRET_PREVIOUS ") && value === OLD));
      const deleted = there.asked().flatMap(([args]) => /^secret delete (\w+) /.exec(args)?.[1] ?? []);
      assert.deepEqual(deleted, ["JWT_SECRET_PREVIOUS_2", "JWT_ROTATED_AT_2"]);
    });

    test("emergency: signs with the new one first, then drops all others that there are", () => {
      const there = checkout(names("JWT_SECRET", "JWT_SECRET_PREVIOUS", "JWT_ROTATED_AT", "JWT_SECRET_PREVIOUS_4"));
      assert.equal(there.rotate("emergency").status, 0);
      assert.deepEqual(
        there.asked().map(([args]) => args),
        [
          "secret put JWT_SECRET --env production",
          "secret list --env production",
          "secret list --env production",
          "secret delete JWT_SECRET_PREVIOUS --env production",
          "secret delete JWT_ROTATED_AT --env production",
          "secret delete JWT_SECRET_PREVIOUS_4 --env production",
        ],
      );
      assert.equal(there.asked()[0][1], there.kept());
    });

    test("emergency: does not claim success when Cloudflare does not say what there is", () => {
      const there = checkout(SILENT);
      const { status, printed } = there.rotate("emergency");
      assert.notEqual(status, 0, `JWT_SECRET_PREVIOUS may still be accepted: ${printed}`);
      assert.doesNotMatch(printed, /✓/);
      const [[args, secret]] = there.asked();
      assert.deepEqual([args, secret], ["secret put JWT_SECRET --env production", there.kept()], "which is done, and not lost");
    });
  });
});
