// A Google Apps Script web app (https://developers.google.com/apps-script/guides/web and …/guides/content). The sandbox copies four things.
// A script sees no headers and can't set a status. Its result is always 200, and is fetched with a GET from script.googleusercontent.com
// after a 302. An exception in it is a 200 with an HTML page. An unknown address is a 404 page. The script played here is the shipped one,
// integrations/apps-script/Code.gs: tests/e2e/apps-script.test.mjs compares their answers, case by case.

import { html, isObject, isText, json, parseJson, text } from "./replies.js";
import { hmacSha256, randomId, toHex, utf8 } from "./signatures.js";

const EXEC = /^\/macros\/s\/[\w-]+\/exec$/;
const ECHO = "/macros/echo";
const ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

const errorPage = (status, message) =>
  html(status, `<!DOCTYPE html><html><head><title>Error</title></head><body><div>${message}</div></body></html>`);

export const appsScript = {
  name: "apps_script",
  plays: (host) => host === "script.google.com" || host === "script.googleusercontent.com",
  identify: (call) => {
    if (call.host !== "script.google.com") return { operation: "echo", key: null, effect: false };
    const input = parseJson(call.body);
    const operation = isText(input?.action) ? input.action : null;
    return {
      operation,
      key: isText(input?.idempotencyKey) ? input.idempotencyKey : null,
      effect: operation === "provision" || operation === "deprovision",
    };
  },
  verify: async (call, { env }) => {
    const given = new URL(call.url).searchParams.get("signature");
    if (call.host !== "script.google.com" || !env.GAS_HMAC_SECRET) return { present: given !== null, valid: null };
    const expected = toHex(await hmacSha256(utf8(env.GAS_HMAC_SECRET), call.body));
    return { present: given !== null, valid: given === expected };
  },
  answer: (call, tools) => (call.host === "script.google.com" ? exec(call, tools) : echo(call, tools)),
  failure: (status) => errorPage(status, "Sorry, unable to open the file at this time."),
};

function exec(call, tools) {
  if (!EXEC.test(call.path)) return errorPage(404, "Sorry, the file you have requested does not exist.");
  if (call.method !== "POST") return errorPage(200, "Script function not found: doGet");
  return redirectTo(run(parseJson(call.body), tools), tools);
}

function redirectTo(output, { sql, now }) {
  const key = randomId(ID_ALPHABET, 64);
  sql.exec("insert into echoes (key, body, created_at) values (?, ?, ?)", key, JSON.stringify(output), now);
  const location = `https://script.googleusercontent.com${ECHO}?user_content_key=${key}`;
  return html(302, `<HTML><BODY><A HREF="${location}">Moved Temporarily</A></BODY></HTML>`, { location });
}

function echo(call, { sql }) {
  if (call.path !== ECHO) return errorPage(404, "Not Found");
  if (call.method !== "GET" && call.method !== "HEAD") return text(405, "Method Not Allowed", { allow: "GET, HEAD" });
  const key = new URL(call.url).searchParams.get("user_content_key") ?? "";
  const [row] = sql.exec("select body from echoes where key = ?", key).toArray();
  return row ? json(200, JSON.parse(row.body)) : errorPage(404, "Not Found");
}

const refuse = (code, error) => ({ ok: false, error, code });

function run(input, tools) {
  const { present, valid } = tools.signature;
  if (!present || valid === false) return refuse("BAD_SIGNATURE", "The signature is missing or does not match.");
  if (!isObject(input)) return refuse("BAD_REQUEST", "The body is not a JSON object.");
  if (input.action === "provision") return provision(input, tools);
  if (input.action === "verify") return verifySpreadsheet(input, tools);
  if (input.action === "deprovision") return deprovision(input, tools);
  if (input.action === "version") return { ok: true, version: "1.0.0", protocol: 1, problems: [] };
  return refuse("UNKNOWN_ACTION", "The action is not known.");
}

const lacks = (input, ...fields) =>
  fields.every((field) => isText(input[field])) ? undefined : refuse("BAD_REQUEST", `${fields.join(" and ")} are needed.`);

const isWord = (text) => /^[A-Za-z][\w./:-]{0,99}$/.test(text);

const refuseWords = (...words) => (words.every(isWord) ? undefined : refuse("BAD_REQUEST", "An id or a key is no word."));

function provision(input, tools) {
  const refusal = lacks(input, "tenantId", "teamName", "idempotencyKey") ?? refuseWords(input.tenantId, input.idempotencyKey);
  if (refusal) return refusal;
  if (input.teamName === "fail-me") return refuse("TEAM_REFUSED", "This team can't have a spreadsheet.");
  if (isForeign(input, input.idempotencyKey, tools)) return refuse("FOREIGN", "The key belongs to another tenant.");
  if (isSpent(tools)) return refuse("DEPROVISIONED", "What was made under this key was removed.");
  const id = spreadsheetOf(tools) ?? createSpreadsheet(input, tools);
  return { ok: true, spreadsheetId: id, spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${id}/edit` };
}

const isForeign = (input, key, { sql }) =>
  sql
    .exec(
      `select 1 from (select key, tenant_id from spreadsheets union all select key, tenant_id from spent_keys)
       where key = ? and tenant_id <> ?`,
      key,
      input.tenantId,
    )
    .toArray().length > 0;

const isSpent = ({ sql, key }) => sql.exec("select 1 from spent_keys where key = ?", key).toArray().length > 0;

function spreadsheetOf({ sql, key }) {
  if (key === null) return undefined;
  return sql.exec("select spreadsheet_id from spreadsheets where key = ?", key).toArray()[0]?.spreadsheet_id;
}

function createSpreadsheet(input, { sql, key, now, done }) {
  const id = `1${randomId(ID_ALPHABET, 43)}`;
  sql.exec(
    "insert into spreadsheets (spreadsheet_id, key, tenant_id, title, created_at) values (?, ?, ?, ?, ?)",
    id,
    key,
    input.tenantId,
    shown(input.teamName),
    now,
  );
  done();
  return id;
}

// As a spreadsheet shows the text of a cell. An apostrophe says that the rest is text, and a text without one may be a formula.
function shown(written) {
  if (written.startsWith("'")) return written.slice(1);
  return /^\s*[=+\-@\u2212\u2795\u2796\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20]/u.test(written) ? "#ERROR!" : written;
}

// Removes the tenant's spreadsheet and spends the key, which remembers whose it was: a repeat is answered by the same id.
function deprovision(input, tools) {
  const refusal = lacks(input, "tenantId", "provisionKey") ?? refuseWords(input.tenantId, input.provisionKey);
  if (refusal) return refusal;
  const { sql, done } = tools;
  const wanted = isText(input.spreadsheetId) ? input.spreadsheetId : null;
  const there = sql
    .exec(
      "select spreadsheet_id as id, tenant_id as tenant from spreadsheets where spreadsheet_id = ? or key = ?",
      wanted,
      input.provisionKey,
    )
    .toArray();
  if (there.some(({ tenant }) => tenant !== input.tenantId) || isForeign(input, input.provisionKey, tools)) {
    return refuse("FOREIGN", "The spreadsheet belongs to another tenant.");
  }
  for (const { id } of there) sql.exec("delete from spreadsheets where spreadsheet_id = ?", id);
  const id = there[0]?.id ?? spentOn(input, tools) ?? wanted;
  if (spend(input, id, tools) || there.length > 0) done();
  return { ok: true, removed: there.length > 0, ...(id && { spreadsheetId: id }) };
}

const spentOn = (input, { sql }) =>
  sql
    .exec("select spreadsheet_id as id from spent_keys where key = ? and tenant_id = ?", input.provisionKey, input.tenantId)
    .toArray()[0]?.id;

// Whether the key was good until now.
const spend = (input, id, { sql }) =>
  sql
    .exec(
      "insert into spent_keys (key, tenant_id, spreadsheet_id) values (?, ?, ?) on conflict do nothing returning key",
      input.provisionKey,
      input.tenantId,
      id,
    )
    .toArray().length > 0;

function verifySpreadsheet(input, { sql }) {
  const refusal = lacks(input, "tenantId", "spreadsheetId");
  if (refusal) return refusal;
  const { spreadsheetId, tenantId } = input;
  const found = sql.exec("select 1 from spreadsheets where spreadsheet_id = ? and tenant_id = ?", spreadsheetId, tenantId);
  return found.toArray().length === 1 ? { ok: true, exists: true, spreadsheetId } : { ok: true, exists: false };
}
