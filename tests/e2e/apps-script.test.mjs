// The Apps Script that ships, integrations/apps-script/Code.gs: that very file in a VM among Google's objects as tests/e2e/apps-script
// plays them. By itself, beside the sandbox's imitation case by case, and behind the running service, every answer lost once.
import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { apiError, signatureOf, startScript } from "./apps-script/google.mjs";
import { serveScript } from "./apps-script/web-app.mjs";
import { startHarness, until } from "./harness.mjs";

const SECRET = "end-to-end tests sign Apps Script calls with this";
const EXEC = "https://script.google.com/macros/s/sandbox/exec";
const wish = {
  action: "provision",
  tenantId: "tenant_1",
  teamName: "Albion",
  slug: "albion",
  email: "ann@example.org",
  address: "https://albion.clubs.example",
  primaryColor: "#1f4e79",
  secondaryColor: "#f4b942",
  idempotencyKey: "run_1/create_spreadsheet",
};
const removal = {
  action: "deprovision",
  tenantId: "tenant_1",
  provisionKey: wish.idempotencyKey,
  idempotencyKey: "run_1/undo_create_spreadsheet",
};

const started = (properties = {}) => startScript({ properties: { GAS_HMAC_SECRET: SECRET, ...properties } });

/** A script, whose first call of `name` fails with `error`. */
function failing(name, error) {
  const script = started();
  let times = 0;
  script.state.before = (called) => {
    if (called === name && (times += 1) === 1) throw error;
  };
  return script;
}

const colourOf = ({ red, green, blue }) => `#${[red, green, blue].map((part) => Math.round(part * 255).toString(16).padStart(2, "0")).join("")}`;

const verified = (script, spreadsheetId, tenantId = "tenant_1") => script.post({ action: "verify", tenantId, spreadsheetId });

describe("a spreadsheet", () => {
  test("is a copy of the template with the tenant's name, contact, address and colours", () => {
    const script = started();
    const answer = script.post(wish);
    const { spreadsheetId } = answer;
    assert.deepEqual(answer, {
      ok: true,
      spreadsheetId,
      spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${spreadsheetId}/edit`,
    });
    const file = script.file(spreadsheetId);
    assert.equal(file.name, "Albion");
    assert.deepEqual(
      ["CLUB_NAME", "CLUB_EMAIL", "CLUB_ADDRESS"].map((name) => script.shown(spreadsheetId, name)),
      ["Albion", "ann@example.org", "https://albion.clubs.example"],
    );
    const paint = file.painted.map(({ cell: { userEnteredFormat: format } }) =>
      [format.backgroundColorStyle, format.textFormat.foregroundColorStyle].map(({ rgbColor }) => colourOf(rgbColor)),
    );
    assert.deepEqual(paint, [["#1f4e79", "#ffffff"], ["#f4b942", "#000000"]]);
  });

  for (const [sent, name] of [
    ["'=1+1", "=1+1"],
    ["'+49 Kickers", "+49 Kickers"],
    ["''s-Hertogenbosch", "'s-Hertogenbosch"],
    ["Fußball 🏐 Süd", "Fußball 🏐 Süd"],
    // Whoever signs might send this too: it is no formula either.
    ["=IMPORTXML(1)", "=IMPORTXML(1)"],
  ]) {
    test(`shows ${name} as it is, for ${sent}`, () => {
      const script = started();
      const { spreadsheetId } = script.post({ ...wish, teamName: sent });
      assert.deepEqual([script.shown(spreadsheetId, "CLUB_NAME"), script.file(spreadsheetId).name], [name, name]);
    });
  }

  test("is shared with the owner and the service account, without a mail unless Google wants one", () => {
    const shared = (email) => {
      const script = started({ SERVICE_ACCOUNT_EMAIL: "robot@project.iam.gserviceaccount.com" });
      const { spreadsheetId } = script.post({ ...wish, email });
      const who = script.file(spreadsheetId).permissions.slice(1).map(({ role, emailAddress }) => [role, emailAddress]);
      return { who, mailed: script.state.mailed };
    };
    const robot = ["reader", "robot@project.iam.gserviceaccount.com"];
    assert.deepEqual(shared("ann@example.org"), { who: [["writer", "ann@example.org"], robot], mailed: [] });
    assert.deepEqual(shared("'+ann@example.org").who[0], ["writer", "+ann@example.org"]);
    assert.deepEqual(shared("no-account@example.org").mailed, ["no-account@example.org"]);
  });

  test("that its owner may not have is refused by a word, and made to the end by the next request", () => {
    const script = started();
    const refused = script.post({ ...wish, email: "refused@example.org" });
    assert.deepEqual([refused.ok, refused.code, refused.retryAfter], [false, "SHARING_REFUSED", undefined]);
    assert.equal(script.post(wish).ok, true);
    assert.equal(script.sheets().length, 1);
  });

  test("takes a template without any named range as it is", () => {
    const script = started();
    script.file(script.properties.TEMPLATE_SPREADSHEET_ID).namedRanges = [];
    assert.equal(script.post(wish).ok, true);
  });

  test("loses everybody's access before it goes to the trash", () => {
    const script = started({ SERVICE_ACCOUNT_EMAIL: "robot@project.iam.gserviceaccount.com" });
    const { spreadsheetId } = script.post(wish);
    script.file(spreadsheetId).permissions.push({ id: "p_3", role: "reader" }, { id: "p_4", role: "reader" });
    assert.equal(script.post(removal).removed, true);
    assert.deepEqual(script.file(spreadsheetId).permissions.map(({ role }) => role), ["owner"]);
    assert.equal(script.file(spreadsheetId).trashed, true);
  });
});

describe("once, whatever happens:", () => {
  /** Nobody knows whether a claim was written whose flush failed. */
  const waitForClaim = ({ state }, name) => {
    if (name === "flush") state.now += 7 * 60_000;
  };

  for (const name of [
    "files.copy", "files.copied", "spreadsheets.get", "values.batchUpdate", "spreadsheets.batchUpdate", "permissions.create", "flush", "openById",
  ]) {
    test(`Google fails at ${name}`, () => {
      const script = failing(name, apiError(503, "backendError"));
      const first = script.post(wish);
      assert.deepEqual([first.ok, first.code, first.retryAfter], [false, "BUSY", 20]);
      waitForClaim(script, name);
      const second = script.post(wish);
      assert.equal(second.ok, true, JSON.stringify(second));
      assert.deepEqual(script.sheets().map(({ id }) => id), [second.spreadsheetId]);
    });

    test(`something that nobody thought of happens at ${name}`, () => {
      const script = failing(name, new Error("out of the blue"));
      assert.throws(() => script.post(wish), /out of the blue/);
      waitForClaim(script, name);
      assert.equal(script.post(wish).ok, true);
      assert.equal(script.sheets().length, 1);
    });
  }

  test("the execution is ended after its copy: its key is claimed until it can't be at work any more", () => {
    const script = started();
    const row = [wish.idempotencyKey, wish.tenantId, "making", "", String(script.state.now / 1000)];
    script.rows().push(row);
    const { TEMPLATE_SPREADSHEET_ID: template } = script.properties;
    const orphan = { ...script.file(template), id: "1orphan", appProperties: { tenantryKey: wish.idempotencyKey, tenantryTenant: "tenant_1" } };
    script.state.files.set(orphan.id, { ...orphan, permissions: [] });
    for (const request of [wish, removal]) assert.equal(script.post(request).code, "BUSY");
    script.state.now += 7 * 60_000;
    assert.equal(script.post(wish).spreadsheetId, "1orphan");
  });

  test("the same, and then it is removed", () => {
    const script = started();
    script.rows().push([wish.idempotencyKey, wish.tenantId, "making", "", "0"]);
    const appProperties = { tenantryKey: wish.idempotencyKey, tenantryTenant: "tenant_1" };
    script.state.files.set("1orphan", { id: "1orphan", trashed: false, appProperties, permissions: [] });
    assert.deepEqual(script.post(removal), { ok: true, removed: true, spreadsheetId: "1orphan" });
    assert.deepEqual(script.post(removal), { ok: true, removed: false, spreadsheetId: "1orphan" });
  });

  test("a second request, and a removal, come while the first is at work", () => {
    const script = started();
    const meanwhile = [];
    script.state.before = (name) => {
      if (name !== "files.copied" || meanwhile.length > 0) return;
      meanwhile.push("");
      meanwhile.push(script.post(wish).code, script.post(removal).code);
    };
    assert.equal(script.post(wish).ok, true);
    assert.deepEqual(meanwhile.slice(1), ["BUSY", "BUSY"]);
    assert.equal(script.sheets().length, 1);
    assert.equal(script.post(removal).removed, true);
  });

  test("the lock is not to be had", () => {
    const script = started();
    script.state.busy = true;
    assert.deepEqual([script.post(wish).code, script.post(wish).retryAfter], ["BUSY", 20]);
    assert.equal(script.sheets().length, 0);
  });

  test("a removal is interrupted anywhere", () => {
    for (const name of ["files.get", "permissions.list", "permissions.remove", "files.update", "flush"]) {
      const script = started();
      const { spreadsheetId } = script.post(wish);
      let times = 0;
      script.state.before = (called) => {
        if (called === name && (times += 1) === 1) throw apiError(500, "internalError");
      };
      assert.equal(script.post({ ...removal, spreadsheetId }).code, "BUSY", name);
      assert.deepEqual(script.post({ ...removal, spreadsheetId }), { ok: true, removed: true, spreadsheetId }, name);
      assert.equal(script.post(wish).code, "DEPROVISIONED");
    }
  });
});

describe("refusals are short words:", () => {
  for (const [word, error, retryAfter] of [
    ["BUSY", apiError(403, "userRateLimitExceeded"), 20],
    ["BUSY", apiError(429, "rateLimitExceeded"), 20],
    ["QUOTA", new Error("Service invoked too many times for one day: drive."), 600],
    ["STORAGE_FULL", apiError(403, "storageQuotaExceeded"), undefined],
    ["GOOGLE_REFUSED", apiError(403, "insufficientFilePermissions"), undefined],
    ["TEMPLATE_MISSING", apiError(404, "notFound"), undefined],
  ]) {
    test(`${word} for ${error.details?.errors[0].reason ?? error.message}`, () => {
      const answer = failing("files.copy", error).post(wish);
      assert.deepEqual([answer.ok, answer.code, answer.retryAfter], [false, word, retryAfter]);
    });
  }

  test("what is not set up", () => {
    for (const [name, word] of [
      ["GAS_HMAC_SECRET", "NOT_SET_UP"],
      ["TEMPLATE_SPREADSHEET_ID", "TEMPLATE_MISSING"],
      ["REGISTRY_SPREADSHEET_ID", "REGISTRY_MISSING"],
    ]) {
      const script = started();
      delete script.properties[name];
      assert.equal(script.post(wish, { secret: SECRET }).code, word);
    }
  });

  test("a file that this script did not make is never touched", () => {
    const script = started();
    const { TEMPLATE_SPREADSHEET_ID: spreadsheetId } = script.properties;
    assert.equal(script.post({ ...removal, spreadsheetId }).code, "FOREIGN");
    assert.deepEqual(verified(script, spreadsheetId), { ok: true, exists: false });
    assert.equal(script.file(spreadsheetId).trashed, false);
  });

  test("a request without a body or parameters", () => {
    const script = started();
    for (const event of [{ parameter: {} }, { parameter: { signature: "é".repeat(64) }, postData: { contents: "{}" } }]) {
      assert.equal(script.deliver(event).code, "BAD_SIGNATURE");
    }
  });
});

test("the version says what is missing, and changes nothing", () => {
  const script = started();
  const told = { ok: true, version: "1.0.0", protocol: 1 };
  assert.deepEqual(script.post({ action: "version" }), { ...told, problems: [] });
  const { REGISTRY_SPREADSHEET_ID: registry } = script.properties;
  script.file(registry).trashed = true;
  script.properties.FOLDER_ID = "1none";
  delete script.properties.TEMPLATE_SPREADSHEET_ID;
  assert.deepEqual(script.post({ action: "version" }), { ...told, problems: ["TEMPLATE_MISSING", "REGISTRY_MISSING", "FOLDER_MISSING"] });
});

test("a secret is rotated without a gap", () => {
  const script = started();
  const asked = (secret) => script.post({ action: "version" }, { secret }).ok;
  Object.assign(script.properties, { GAS_HMAC_SECRET: "new", GAS_HMAC_SECRET_PREVIOUS: SECRET });
  assert.deepEqual([asked(SECRET), asked("new"), asked("another")], [true, true, false]);
  delete script.properties.GAS_HMAC_SECRET_PREVIOUS;
  assert.deepEqual([asked(SECRET), asked("new")], [false, true]);
});

test("the set-up makes what is missing, once, and says what is left to do", () => {
  const script = startScript();
  const files = script.state.files.size;
  assert.equal(files, 3);
  assert.match(script.state.logged.at(-1), /GAS_HMAC_SECRET is missing/);
  script.properties.GAS_HMAC_SECRET = SECRET;
  script.setUp();
  assert.deepEqual([script.state.files.size, script.state.logged.at(-1)], [files, "Everything is there."]);
});

describe("behind the running service", () => {
  let h;
  let app;
  const script = started();
  after(async () => {
    await h?.close();
    await app?.close();
  });

  async function service() {
    app ??= await serveScript(script);
    h ??= await startHarness({
      secrets: { GAS_HMAC_SECRET: SECRET },
      egress: "tenantry-relay",
      workers: [
        {
          config: {
            name: "tenantry-relay",
            main: "tests/e2e/apps-script/relay.js",
            compatibility_date: "2026-11-01",
            services: [{ binding: "SANDBOX", service: "tenantry-sandbox" }],
            vars: { SCRIPT: app.url },
          },
        },
      ],
    });
    return h;
  }

  test("a pro tenant is set up, undone, and set up again, every request twice and every answer lost once", async () => {
    await service();
    const email = "+koeln@example.org";
    const form = { plan: "pro", clubName: "=1. FC Köln 🏐", clubSlug: "erster-fc", email };
    const ends = async (tenant) => {
      await h.confirm(tenant);
      const status = await h.settled(tenant, { within: 90_000 });
      assert.equal(status.status, "completed", JSON.stringify(status.data.error));
    };
    const first = await h.signup(form);
    await ends(first);
    const [sheet, ...others] = script.sheets();
    assert.deepEqual(others, []);
    assert.deepEqual([sheet.name, script.shown(sheet.id, "CLUB_NAME")], [form.clubName, form.clubName]);
    assert.equal(script.shown(sheet.id, "CLUB_ADDRESS"), "https://erster-fc.clubs.example");
    assert.deepEqual(sheet.painted.map(({ cell }) => colourOf(cell.userEnteredFormat.backgroundColorStyle.rgbColor)), ["#1f4e79", "#f4b942"]);

    const { status } = await h.api("DELETE", `/api/v1/admin/tenants/${first.tenantId}`, { token: h.token(), body: { reason: "once more" } });
    assert.equal(status, 202);
    const undone = async () => (await h.sql("select undo_state from tenants where id = ?", first.tenantId))[0].undo_state === "undone";
    await until(undone, { within: 90_000, what: "the removal" });
    assert.equal(sheet.trashed, true);
    assert.deepEqual(script.sheets(), []);

    const second = await h.signup(form);
    await ends(second);
    assert.equal(script.sheets().length, 1);
    assert.notEqual(script.sheets()[0].id, sheet.id);
    assert.deepEqual(app.problems, []);
    const actions = ["provision", "verify", "deprovision"].map((action) => app.captured.filter(({ body }) => JSON.parse(body).action === action).length);
    // The first tenant's, the second's, and looking whether what was removed is gone; each twice, for its answer was lost.
    assert.deepEqual(actions.map((count) => count >= 2), [true, true, true], actions.join());
    assert.ok(app.captured.every(({ body, signature }) => signature === signatureOf(body, SECRET)));
  });

  test("the sandbox's imitation answers as the script does, case by case, every one twice", async () => {
    await service();
    const own = started();
    const played = async (body, signature) => {
      const moved = await h.server.getWorker("tenantry-sandbox").fetch(`${EXEC}${signature === null ? "" : `?signature=${signature}`}`, { method: "POST", body, redirect: "manual" });
      assert.equal(moved.status, 302);
      return (await h.server.getWorker("tenantry-sandbox").fetch(moved.headers.get("location"))).json();
    };
    const tenant = (name) => ({ tenantId: `agree_${name}` });
    const made = { ...wish, ...tenant("a"), idempotencyKey: "agree_1/create" };
    const gone = { ...removal, ...tenant("a"), provisionKey: made.idempotencyKey, idempotencyKey: "agree_1/undo" };
    const cases = [
      "", "{", "null", "[]", "7", '"text"',
      { action: "dance" }, {}, { action: 7 }, { action: "version" },
      { ...made, tenantId: "" }, { ...made, teamName: 7 }, { ...made, idempotencyKey: undefined }, { ...made, tenantId: undefined },
      { ...made, tenantId: "1' or 1=1" }, { ...made, idempotencyKey: "=1+1" }, { ...made, idempotencyKey: "x".repeat(101) },
      made, { ...made, teamName: "Another" }, { ...made, ...tenant("b") },
      { ...made, idempotencyKey: "agree_2/create" },
      { action: "verify", ...tenant("a") }, { action: "verify", spreadsheetId: "1none" },
      { action: "verify", ...tenant("a"), spreadsheetId: "1none" },
      { action: "verify", ...tenant("a"), spreadsheetId: "MADE" }, { action: "verify", ...tenant("b"), spreadsheetId: "MADE" },
      { ...gone, ...tenant("b") }, { ...gone, ...tenant("b"), provisionKey: "agree_3/create", spreadsheetId: "MADE" },
      { ...gone, provisionKey: undefined }, { ...gone, tenantId: undefined }, { ...gone, provisionKey: "'" },
      { ...gone, spreadsheetId: "MADE" }, gone, made, { ...gone, ...tenant("b") }, { ...made, ...tenant("b") },
      { action: "verify", ...tenant("a"), spreadsheetId: "MADE" },
      { ...gone, provisionKey: "agree_4/create" }, { ...made, idempotencyKey: "agree_4/create" },
      { ...gone, provisionKey: "agree_5/create", spreadsheetId: "1none" }, { ...gone, provisionKey: "agree_5/create" },
      { ...gone, provisionKey: "agree_2/create" }, { ...made, idempotencyKey: "agree_2/create" },
    ];
    const ids = {};
    const ask = async (name, answer, one) => {
      const told = typeof one === "string" ? one : JSON.stringify(one).replace("MADE", ids[name]);
      return answer(told, signatureOf(told, SECRET));
    };
    const comparable = ({ error, spreadsheetId, spreadsheetUrl, ...rest }) => ({
      ...rest,
      hasError: typeof error === "string",
      spreadsheet: spreadsheetId === undefined ? null : /^1none$/.exec(spreadsheetId)?.[0] ?? "an id",
      url: spreadsheetUrl?.replace(spreadsheetId, "…"),
    });
    for (const one of cases) {
      for (const time of ["first", "second"]) {
        const script = await ask("script", (body, signature) => own.receive(body, signature), one);
        const sandbox = await ask("sandbox", played, one);
        assert.deepEqual(comparable(sandbox), comparable(script), `${JSON.stringify(one)}, the ${time} time`);
        if (one === made && script.ok) Object.assign(ids, { script: script.spreadsheetId, sandbox: sandbox.spreadsheetId });
      }
    }
    for (const signature of [null, "", "0".repeat(64), signatureOf("{}", SECRET).toUpperCase()]) {
      assert.deepEqual(comparable(await played("{}", signature)), comparable(own.receive("{}", signature)), `${signature}`);
    }
  });
});
