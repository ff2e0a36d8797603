// What the sandbox plays of Apps Script and of Google's APIs.

import assert from "node:assert/strict";
import { createHmac, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { describe, test } from "node:test";
import { GAS_SECRET, call, post, control, fault, requests, effects, eventually } from "./harness.mjs";

describe("Apps Script", () => {
  const EXEC = "https://script.google.com/macros/s/AKfycb_test/exec";
  const wish = {
    action: "provision",
    tenantId: "tenant_1",
    teamName: "Albion",
    slug: "albion",
    idempotencyKey: "run_1/create",
  };

  const send = (value, signature) => {
    const raw = typeof value === "string" ? value : JSON.stringify(value);
    const hex = signature ?? createHmac("sha256", GAS_SECRET).update(raw).digest("hex");
    return post(`${EXEC}?signature=${hex}`, raw);
  };

  async function run(value, signature) {
    const moved = await send(value, signature);
    assert.equal(moved.status, 302);
    const location = moved.headers.get("location");
    assert.match(location, /^https:\/\/script\.googleusercontent\.com\/macros\/echo\?user_content_key=/);
    const echoed = await call(location);
    assert.equal(echoed.status, 200);
    return echoed.json();
  }

  test("a spreadsheet is made once per idempotency key and then exists", async () => {
    const first = await run(wish);
    assert.equal(first.ok, true);
    assert.equal(first.spreadsheetUrl, `https://docs.google.com/spreadsheets/d/${first.spreadsheetId}/edit`);
    assert.deepEqual(await run(wish), first);
    assert.notEqual((await run({ ...wish, idempotencyKey: "run_2/create" })).spreadsheetId, first.spreadsheetId);
    assert.deepEqual(await effects("?key=run_1/create"), [
      { upstream: "apps_script", operation: "provision", key: "run_1/create", count: 1, requests: 2 },
    ]);
    const { spreadsheetId } = first;
    assert.deepEqual(await run({ action: "verify", tenantId: wish.tenantId, spreadsheetId }), { ok: true, exists: true, spreadsheetId });
    assert.deepEqual(await run({ action: "verify", tenantId: wish.tenantId, spreadsheetId: "1none" }), { ok: true, exists: false });
  });

  test("a spreadsheet that its owner deleted is no longer there", async () => {
    const { spreadsheetId } = await run(wish);
    assert.equal((await control("GET", "spreadsheets")).spreadsheets[0].id, spreadsheetId);
    assert.equal((await control("DELETE", `spreadsheets/${spreadsheetId}`)).status, 200);
    assert.equal((await run({ action: "verify", tenantId: wish.tenantId, spreadsheetId })).exists, false);
    assert.equal((await control("DELETE", `spreadsheets/${spreadsheetId}`)).status, 404);
  });

  const removal = {
    action: "deprovision",
    tenantId: wish.tenantId,
    provisionKey: wish.idempotencyKey,
    idempotencyKey: "run_1/undo_create",
  };
  const ids = async () => (await control("GET", "spreadsheets")).spreadsheets.map(({ id }) => id);

  test("a spreadsheet is removed by its key or its id, once, and a repeat says the same", async () => {
    for (const spreadsheet of [(id) => ({ spreadsheetId: id }), () => ({})]) {
      await control("POST", "reset");
      const { spreadsheetId } = await run(wish);
      const asked = { ...removal, ...spreadsheet(spreadsheetId) };
      assert.deepEqual(await run(asked), { ok: true, removed: true, spreadsheetId });
      assert.deepEqual(await run({ action: "verify", tenantId: wish.tenantId, spreadsheetId }), { ok: true, exists: false });
      assert.deepEqual(await run(asked), { ok: true, removed: false, spreadsheetId });
      assert.deepEqual(await effects("?key=run_1/undo_create"), [
        { upstream: "apps_script", operation: "deprovision", key: "run_1/undo_create", count: 1, requests: 2 },
      ]);
    }
  });

  test("what is asked for late, under a key that was removed, is not made", async () => {
    assert.deepEqual(await run(removal), { ok: true, removed: false });
    assert.equal((await run(wish)).code, "DEPROVISIONED");
    assert.deepEqual(await run(removal), { ok: true, removed: false });
    assert.deepEqual(await ids(), []);
    assert.equal((await run({ ...wish, idempotencyKey: "run_2/create" })).ok, true, "another key is as good as ever");
  });

  test("a spreadsheet that is made while its removal comes is gone in the end", async () => {
    await fault({ host: "script.google.com", kind: "delay", ms: 2000, times: 1 });
    const late = run(wish);
    await eventually(async () => (await requests()).length === 1);
    assert.equal((await run(removal)).removed, false);
    assert.equal((await late).code, "DEPROVISIONED");
    assert.deepEqual(await ids(), []);
  });

  test("a spreadsheet of another tenant is not removed, neither by its key nor by its id", async () => {
    const { spreadsheetId } = await run(wish);
    for (const asked of [{}, { spreadsheetId, provisionKey: "run_2/create" }]) {
      assert.equal((await run({ ...removal, tenantId: "tenant_2", ...asked })).code, "FOREIGN");
    }
    assert.equal((await run({ action: "deprovision", tenantId: "tenant_1" })).code, "BAD_REQUEST");
    assert.deepEqual(await ids(), [spreadsheetId]);
    assert.deepEqual(await run(wish), {
      ok: true,
      spreadsheetId,
      spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${spreadsheetId}/edit`,
    });
  });

  test("a bad or missing signature is a 200 with ok false, like every refusal of a script", async () => {
    for (const signature of ["", "0".repeat(64)]) {
      const answer = await run(wish, signature);
      assert.equal(answer.ok, false);
      assert.equal(answer.code, "BAD_SIGNATURE");
    }
    assert.equal((await run({ ...wish, teamName: "fail-me" })).code, "TEAM_REFUSED");
    assert.equal((await run({ action: "provision" })).code, "BAD_REQUEST");
    assert.equal((await run({ action: "dance" })).code, "UNKNOWN_ACTION");
    assert.deepEqual(
      (await effects()).filter((effect) => effect.count > 0),
      [],
    );
  });

  test("an exception in the script is a 200 with a page, an unknown address a 404", async () => {
    const broken = await call(EXEC);
    assert.equal(broken.status, 200);
    assert.match(broken.headers.get("content-type"), /^text\/html/);
    assert.equal((await post("https://script.google.com/macros/s/", "{}")).status, 404);
    assert.equal((await call("https://script.googleusercontent.com/macros/echo?user_content_key=none")).status, 404);
    assert.equal((await post("https://script.googleusercontent.com/macros/echo", "{}")).status, 405);
  });

  test("either host can be faulted", async () => {
    await fault({ host: "script.googleusercontent.com", kind: "status", status: 500, times: 1 });
    const moved = await send(wish);
    const location = moved.headers.get("location");
    assert.equal((await call(location)).status, 500);
    assert.equal((await call(location)).status, 200);
    assert.equal((await effects())[0].count, 1);
  });
});

describe("Google", () => {
  const TOKEN = "https://oauth2.googleapis.com/token";
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const EMAIL = "tenantry@project.iam.gserviceaccount.com";
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

  function assertion(changes = {}, { alg = "RS256", key = privateKey } = {}) {
    const iat = Math.floor(Date.now() / 1000);
    const scope = "https://www.googleapis.com/auth/spreadsheets.readonly";
    const signed = `${part({ alg, typ: "JWT" })}.${part({ iss: EMAIL, scope, aud: TOKEN, iat, exp: iat + 3600, ...changes })}`;
    return `${signed}.${sign("RSA-SHA256", Buffer.from(signed), key).toString("base64url")}`;
  }

  async function token(jwt, grant = "urn:ietf:params:oauth:grant-type:jwt-bearer") {
    const response = await call(TOKEN, {
      method: "POST",
      body: new URLSearchParams({ grant_type: grant, assertion: jwt }),
    });
    return { status: response.status, ...(await response.json()) };
  }

  async function read(id, bearer, query = "") {
    const headers = bearer ? { authorization: `Bearer ${bearer}` } : {};
    const response = await call(`https://sheets.googleapis.com/v4/spreadsheets/${id}${query}`, { headers });
    return { status: response.status, ...(await response.json()) };
  }

  async function spreadsheet() {
    const body = JSON.stringify({
      action: "provision",
      tenantId: "tenant_1",
      teamName: "Albion",
      idempotencyKey: `run_${randomUUID()}`,
    });
    const signature = createHmac("sha256", GAS_SECRET).update(body).digest("hex");
    const moved = await post(`https://script.google.com/macros/s/x/exec?signature=${signature}`, body);
    return (await (await call(moved.headers.get("location"))).json()).spreadsheetId;
  }

  const register = () =>
    control("PUT", "google", { clientEmail: EMAIL, publicKey: publicKey.export({ type: "spki", format: "pem" }) });

  test("a signed assertion buys a token that reads a spreadsheet", async () => {
    assert.equal((await register()).status, 200);
    const { access_token: bearer, ...rest } = await token(assertion());
    assert.deepEqual(rest, { status: 200, expires_in: 3599, token_type: "Bearer" });
    const id = await spreadsheet();
    assert.deepEqual(await read(id, bearer, "?fields=spreadsheetId,properties.title"), {
      status: 200,
      spreadsheetId: id,
      properties: { title: "Albion" },
    });
    assert.deepEqual((await requests("?host=oauth2.googleapis.com"))[0].signature, { present: true, valid: true });
    const missing = await read("1none", bearer);
    assert.equal(missing.status, 404);
    assert.equal(missing.error.status, "NOT_FOUND");
  });

  test("an assertion is refused by its claims, its account and its signature", async () => {
    const now = Math.floor(Date.now() / 1000);
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
    assert.equal((await token(assertion({}, { key: other }))).status, 200, "without a key only the shape is checked");
    assert.equal((await requests())[0].signature.valid, null);
    await register();
    const refusals = [
      [assertion({}, { key: other }), "invalid_grant"],
      [assertion({}, { alg: "HS256" }), "invalid_grant"],
      [assertion({ iss: "other@project.iam.gserviceaccount.com" }), "invalid_grant"],
      [assertion({ aud: "https://example.com/" }), "invalid_grant"],
      [assertion({ iat: now, exp: now + 7200 }), "invalid_grant"],
      [assertion({ iat: now - 7200, exp: now - 3600 }), "invalid_grant"],
      [assertion({ scope: undefined }), "invalid_scope"],
      ["not a token", "invalid_grant"],
    ];
    for (const [jwt, error] of refusals) {
      const answer = await token(jwt);
      assert.equal(answer.status, 400);
      assert.equal(answer.error, error, answer.error_description);
    }
    assert.equal((await token(assertion(), "password")).error, "unsupported_grant_type");
  });

  test("a spreadsheet is closed to no token, an unknown token and a foreign scope", async () => {
    const id = await spreadsheet();
    assert.equal((await read(id)).status, 403);
    assert.equal((await read(id, "ya29.unknown")).error.status, "UNAUTHENTICATED");
    const { access_token: foreign } = await token(assertion({ scope: "https://www.googleapis.com/auth/calendar" }));
    assert.equal((await read(id, foreign)).error.status, "PERMISSION_DENIED");
  });
});
