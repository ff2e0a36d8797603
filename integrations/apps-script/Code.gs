/**
 * The web app that makes a pro club's spreadsheet, looks whether it is there, and removes it. README.md beside this file has the
 * protocol, and how the script is deployed.
 */

const VERSION = "1.0.0";
const PROTOCOL = 1;

/** How long a request waits for the registry. */
const LOCK_MS = 10000;
/** Google ends an execution after six minutes: whoever claimed a key longer ago is not at work any more. */
const CLAIM_SECONDS = 7 * 60;
/** When a request that was refused for the moment may come again. */
const SOON_SECONDS = 20;
const LATER_SECONDS = 600;

/** The registry's columns, in their order. */
const COLUMNS = ["key", "tenant", "state", "spreadsheet", "claimed"];
const MAKING = "making";
const READY = "ready";
const REMOVED = "removed";

/** An answer `ok: false`. With `retryAfter` it is one for the moment only. */
class Refusal extends Error {
  constructor(code, message, retryAfter) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

/**
 * Google calls this for each POST.
 * @param {GoogleAppsScript.Events.DoPost} event
 */
function doPost(event) {
  return ContentService.createTextOutput(JSON.stringify(answerTo(event))).setMimeType(ContentService.MimeType.JSON);
}

function answerTo(event) {
  try {
    const body = event.postData ? event.postData.contents : "";
    checkSignature(body, event.parameter.signature || "");
    const request = parse(body);
    switch (request.action) {
      case "provision":
        return provision(request);
      case "verify":
        return verify(request);
      case "deprovision":
        return deprovision(request);
      case "version":
        return { ok: true, version: VERSION, protocol: PROTOCOL, problems: problems() };
      default:
        throw new Refusal("UNKNOWN_ACTION", "The action is not known.");
    }
  } catch (error) {
    const { code, message, retryAfter } = refusalOf(error);
    console.warn(`${code}: ${message}`);
    return Object.assign({ ok: false, code, error: message }, retryAfter && { retryAfter });
  }
}

/* ---- requests ---- */

function checkSignature(body, given) {
  const secrets = ["GAS_HMAC_SECRET", "GAS_HMAC_SECRET_PREVIOUS"].map(property).filter(Boolean);
  if (secrets.length === 0) throw new Refusal("NOT_SET_UP", "The script property GAS_HMAC_SECRET is missing.");
  // All are compared, and each wholly: the time that it takes says nothing about them.
  const matching = secrets.filter((secret) => isSame(hmac(body, secret), given));
  if (matching.length === 0) throw new Refusal("BAD_SIGNATURE", "The signature is missing or does not match.");
}

/** As hexadecimal digits. */
function hmac(text, secret) {
  const bytes = Utilities.computeHmacSha256Signature(text, secret, Utilities.Charset.UTF_8);
  // Its bytes are signed.
  return bytes.map((byte) => (byte & 0xff).toString(16).padStart(2, "0")).join("");
}

function isSame(expected, given) {
  let difference = expected.length ^ given.length;
  for (let at = 0; at < expected.length; at += 1) difference |= expected.charCodeAt(at) ^ given.charCodeAt(at);
  return difference === 0;
}

function parse(body) {
  let request = null;
  try {
    request = JSON.parse(body);
  } catch (_) {
    // Refused below.
  }
  if (request === null || typeof request !== "object" || Array.isArray(request)) {
    throw new Refusal("BAD_REQUEST", "The body is not a JSON object.");
  }
  return request;
}

/** The fields of this name as texts, each of which must be there. */
function needed(request, ...names) {
  const values = names.map((name) => request[name]);
  if (values.some((value) => typeof value !== "string" || value === "")) {
    throw new Refusal("BAD_REQUEST", `${names.join(" and ")} are needed.`);
  }
  return values;
}

/** An id, a key: nothing that a query or a cell could read as something else. */
function checkWords(...words) {
  if (words.some((word) => !/^[A-Za-z][\w./:-]{0,99}$/.test(word))) {
    throw new Refusal("BAD_REQUEST", "tenantId and keys begin with a letter and have up to 100 of A-Z a-z 0-9 . _ / : -");
  }
}

/** A text without the apostrophe that marks it as literal: what it says is written as it is, here by `RAW`. */
function plain(text) {
  return typeof text === "string" ? text.replace(/^'/, "") : "";
}

const isText = (value) => typeof value === "string" && value !== "";

/* ---- actions ---- */

function provision(request) {
  const [tenant, , key] = needed(request, "tenantId", "teamName", "idempotencyKey");
  checkWords(tenant, key);
  let entry = claim(key, tenant, null);
  // Somebody removed it by hand: then it is made again.
  if (entry.state === READY && !isThere(entry.spreadsheet, tenant)) entry = claim(key, tenant, entry.spreadsheet);
  if (entry.state !== READY) entry = make(entry, request);
  return {
    ok: true,
    spreadsheetId: entry.spreadsheet,
    spreadsheetUrl: `https://docs.google.com/spreadsheets/d/${entry.spreadsheet}/edit`,
  };
}

/** The key's entry: to be made by this request alone, or ready. `gone` is a spreadsheet of it that is not there any more. */
function claim(key, tenant, gone) {
  return withRegistry((registry) => {
    const entry = registry.find(key);
    const claimed = { key, tenant, state: MAKING, spreadsheet: "", claimed: seconds() };
    if (!entry) return registry.add(claimed);
    if (entry.tenant !== tenant) throw new Refusal("FOREIGN", "The key belongs to another tenant.");
    if (entry.state === REMOVED) throw new Refusal("DEPROVISIONED", "What was made under this key was removed.");
    if (entry.state === READY && entry.spreadsheet !== gone) return entry;
    checkIsIdle(entry);
    return registry.save(Object.assign(claimed, entry.state === MAKING && { spreadsheet: entry.spreadsheet }));
  });
}

function checkIsIdle(entry) {
  if (entry.state === MAKING && seconds() - entry.claimed < CLAIM_SECONDS) {
    throw new Refusal("BUSY", "Another request is making this spreadsheet.", SOON_SECONDS);
  }
}

/** Every part of it may be done again: whoever is interrupted leaves the rest to the next request. */
function make(entry, request) {
  try {
    const spreadsheet = entry.spreadsheet || foundBy(entry.key)[0] || copyTemplate(entry, request);
    save(Object.assign(entry, { spreadsheet }));
    fill(spreadsheet, request);
    share(spreadsheet, plain(request.email));
    return save(Object.assign(entry, { state: READY, claimed: 0 }));
  } catch (error) {
    release(entry);
    throw error;
  }
}

/** The next request need not wait. What went wrong before is what is told, whatever becomes of this. */
function release(entry) {
  try {
    save(Object.assign(entry, { claimed: 0 }));
  } catch (error) {
    console.warn(`The key is claimed until its time is over: ${error.message}`);
  }
}

const save = (entry) => withRegistry((registry) => registry.save(entry));

function verify(request) {
  const [tenant, spreadsheet] = needed(request, "tenantId", "spreadsheetId");
  return isThere(spreadsheet, tenant) ? { ok: true, exists: true, spreadsheetId: spreadsheet } : { ok: true, exists: false };
}

/** Spends the key first: nothing is made under it from then on. Then whatever there is goes. */
function deprovision(request) {
  const [tenant, key] = needed(request, "tenantId", "provisionKey");
  checkWords(tenant, key);
  const wanted = isText(request.spreadsheetId) ? request.spreadsheetId : null;
  const file = wanted && fileOf(wanted);
  if (file && tenantOf(file) !== tenant) throw new Refusal("FOREIGN", "The spreadsheet belongs to another tenant.");
  const spent = { key, tenant, state: REMOVED, spreadsheet: "", claimed: 0 };
  const { before, entry } = withRegistry((registry) => {
    const before = registry.find(key);
    if (!before) return { before, entry: registry.add(Object.assign(spent, wanted && { spreadsheet: wanted })) };
    if (before.tenant !== tenant) throw new Refusal("FOREIGN", "The key belongs to another tenant.");
    checkIsIdle(before);
    return { before, entry: registry.save(Object.assign(spent, { spreadsheet: before.spreadsheet || wanted || "" })) };
  });
  // A copy of which the registry never heard, because the request that made it was ended.
  const unknown = before && before.state === MAKING && !before.spreadsheet ? foundBy(key) : [];
  const all = new Set([entry.spreadsheet, wanted, ...unknown].filter(Boolean));
  const removed = [...all].filter((id) => isThere(id, tenant));
  removed.forEach(trash);
  const about = removed[0] || entry.spreadsheet || wanted;
  if (!entry.spreadsheet && about) save(Object.assign(entry, { spreadsheet: about }));
  return Object.assign({ ok: true, removed: removed.length > 0 }, about && { spreadsheetId: about });
}

/** What is missing, as short words; nothing is changed. */
function problems() {
  const files = [
    ["TEMPLATE_SPREADSHEET_ID", "TEMPLATE_MISSING"],
    ["REGISTRY_SPREADSHEET_ID", "REGISTRY_MISSING"],
  ];
  const folder = property("FOLDER_ID") ? [["FOLDER_ID", "FOLDER_MISSING"]] : [];
  return [...files, ...folder]
    .filter(([name]) => {
      const file = property(name) && fileOf(property(name));
      return !file || file.trashed;
    })
    .map(([, word]) => word);
}

/* ---- spreadsheets ---- */

/** The file, or null if there is none that this account can see. */
function fileOf(id) {
  try {
    return Drive.Files.get(id, { fields: "id,trashed,appProperties", supportsAllDrives: true });
  } catch (error) {
    if (statusOf(error) === 404) return null;
    throw error;
  }
}

/** The tenant for which this script made it: no other file is ever touched. */
const tenantOf = (file) => file.appProperties?.tenantryTenant;

function isThere(id, tenant) {
  const file = fileOf(id);
  return file !== null && !file.trashed && tenantOf(file) === tenant;
}

/** The spreadsheets that were copied under a key. */
function foundBy(key) {
  const { files } = Drive.Files.list({
    q: `appProperties has { key='tenantryKey' and value='${key}' } and trashed = false`,
    fields: "files(id)",
    supportsAllDrives: true,
    includeItemsFromAllDrives: true,
  });
  return (files || []).map(({ id }) => id);
}

/** A copy bears its marks from its first moment. */
function copyTemplate(entry, request) {
  const template = property("TEMPLATE_SPREADSHEET_ID");
  if (!template) throw new Refusal("TEMPLATE_MISSING", "The script property TEMPLATE_SPREADSHEET_ID is missing.");
  const folder = property("FOLDER_ID");
  const copy = {
    name: plain(request.teamName),
    appProperties: { tenantryKey: entry.key, tenantryTenant: entry.tenant },
  };
  try {
    return Drive.Files.copy(Object.assign(copy, folder && { parents: [folder] }), template, { supportsAllDrives: true, fields: "id" }).id;
  } catch (error) {
    if (statusOf(error) === 404) throw new Refusal("TEMPLATE_MISSING", "The template or the folder is not there, or not for this account.");
    throw error;
  }
}

/** Writes into the named ranges that the template has. `RAW` stores a text as it is, and never reads it as a formula. */
function fill(spreadsheet, request) {
  const texts = {
    CLUB_NAME: plain(request.teamName),
    CLUB_SLUG: plain(request.slug),
    CLUB_EMAIL: plain(request.email),
    CLUB_ADDRESS: plain(request.address),
  };
  const colors = { CLUB_PRIMARY: request.primaryColor, CLUB_SECONDARY: request.secondaryColor };
  const ranges = Sheets.Spreadsheets.get(spreadsheet, { fields: "namedRanges" }).namedRanges || [];
  const data = ranges.filter(({ name }) => name in texts).map(({ name }) => ({ range: name, values: [[texts[name]]] }));
  if (data.length > 0) Sheets.Spreadsheets.Values.batchUpdate({ valueInputOption: "RAW", data }, spreadsheet);
  const requests = ranges
    .map(({ name, range }) => ({ range, color: colors[name.replace(/^(CLUB_PRIMARY|CLUB_SECONDARY)_\w+$/, "$1")] }))
    .filter(({ color }) => /^#[0-9a-f]{6}$/i.test(color || ""))
    .map(({ range, color }) => ({ repeatCell: painted(range, color) }));
  if (requests.length > 0) Sheets.Spreadsheets.batchUpdate({ requests }, spreadsheet);
}

function painted(range, color) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16) / 255);
  const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  // Black or white, whichever has the better contrast.
  const ink = luminance > 0.179 ? 0 : 1;
  return {
    range,
    cell: {
      userEnteredFormat: {
        backgroundColorStyle: { rgbColor: { red, green, blue } },
        textFormat: { foregroundColorStyle: { rgbColor: { red: ink, green: ink, blue: ink } } },
      },
    },
    fields: "userEnteredFormat.backgroundColorStyle,userEnteredFormat.textFormat.foregroundColorStyle",
  };
}

/** With the club's owner, who may edit it, and with the service account that reads it back. */
function share(spreadsheet, owner) {
  const account = property("SERVICE_ACCOUNT_EMAIL");
  if (owner) permit(spreadsheet, owner, "writer", true);
  if (account) permit(spreadsheet, account, "reader", false);
}

/** Without a mail, for the service mails its own; but to an address without a Google account, Google shares by a mail only. */
function permit(spreadsheet, emailAddress, role, mayMail) {
  const give = (options) =>
    Drive.Permissions.create({ type: "user", role, emailAddress }, spreadsheet, Object.assign({ supportsAllDrives: true }, options));
  try {
    try {
      give({ sendNotificationEmail: false });
    } catch (error) {
      if (!mayMail || statusOf(error) !== 400) throw error;
      give({ sendNotificationEmail: true, emailMessage: "Your club's spreadsheet is ready." });
    }
  } catch (error) {
    if (isForNow(error) || ![400, 403, 404].includes(statusOf(error))) throw error;
    throw new Refusal("SHARING_REFUSED", `Google does not share it with the ${role}: ${error.message}`);
  }
}

/** Nobody but the account keeps access, and Google deletes it after thirty days. The trash comes last: it says that all is done. */
function trash(spreadsheet) {
  for (const { id, role, permissionDetails } of permissionsOf(spreadsheet)) {
    const isInherited = (permissionDetails || []).some(({ inherited }) => inherited);
    if (role !== "owner" && !isInherited) Drive.Permissions.remove(spreadsheet, id, { supportsAllDrives: true });
  }
  Drive.Files.update({ trashed: true }, spreadsheet, null, { supportsAllDrives: true });
}

function permissionsOf(spreadsheet) {
  const all = [];
  let pageToken = "";
  do {
    const fields = "nextPageToken,permissions(id,role,permissionDetails)";
    const page = Drive.Permissions.list(spreadsheet, Object.assign({ fields, supportsAllDrives: true }, pageToken && { pageToken }));
    all.push(...(page.permissions || []));
    pageToken = page.nextPageToken;
  } while (pageToken);
  return all;
}

/* ---- the registry: a spreadsheet with one row for each key ---- */

/** One request at a time; what it wrote is there before the next one reads. */
function withRegistry(work) {
  const lock = LockService.getScriptLock();
  if (!lock.tryLock(LOCK_MS)) throw new Refusal("BUSY", "Too many requests are at work.", SOON_SECONDS);
  try {
    const result = work(registry());
    SpreadsheetApp.flush();
    return result;
  } finally {
    lock.releaseLock();
  }
}

function registry() {
  const id = property("REGISTRY_SPREADSHEET_ID");
  if (!id) throw new Refusal("REGISTRY_MISSING", "The script property REGISTRY_SPREADSHEET_ID is missing.");
  const sheet = SpreadsheetApp.openById(id).getSheets()[0];
  const row = (key) => {
    const cell = sheet.getRange("A:A").createTextFinder(key).matchCase(true).matchEntireCell(true).findNext();
    return cell && sheet.getRange(cell.getRow(), 1, 1, COLUMNS.length);
  };
  const written = (entry) => COLUMNS.map((column) => entry[column]);
  return {
    find(key) {
      const range = row(key);
      if (!range) return null;
      const values = range.getValues()[0];
      const entry = Object.fromEntries(COLUMNS.map((column, at) => [column, String(values[at])]));
      return Object.assign(entry, { claimed: Number(entry.claimed) });
    },
    add(entry) {
      sheet.appendRow(written(entry));
      return entry;
    },
    save(entry) {
      const range = row(entry.key);
      if (!range) return this.add(entry);
      range.setValues([written(entry)]);
      return entry;
    },
  };
}

/* ---- errors ---- */

/** The status with which one of Google's APIs refused, 0 if it did not say. */
function statusOf(error) {
  return Number(error?.details?.code || 0);
}

const reasonOf = (error) => error?.details?.errors?.[0]?.reason || "";

function isForNow(error) {
  return [429, 500, 502, 503, 504].includes(statusOf(error)) || /rateLimitExceeded/i.test(reasonOf(error));
}

/** What is not known is thrown on: Google answers it with a page, the service tries again, and the execution's log has it. */
function refusalOf(error) {
  if (error instanceof Refusal) return error;
  const { message } = error;
  if (/too many times for one day/i.test(message)) return new Refusal("QUOTA", message, LATER_SECONDS);
  if (isForNow(error)) return new Refusal("BUSY", message, SOON_SECONDS);
  if (reasonOf(error) === "storageQuotaExceeded") return new Refusal("STORAGE_FULL", "The account's storage is full.");
  if (statusOf(error) >= 400) return new Refusal("GOOGLE_REFUSED", message);
  throw error;
}

/* ---- set-up ---- */

const property = (name) => PropertiesService.getScriptProperties().getProperty(name);
const seconds = () => Math.floor(Date.now() / 1000);

/** Run once, by hand, in the editor: makes what is missing of folder, registry and template, and says what else is. */
function setUp() {
  const properties = PropertiesService.getScriptProperties();
  const made = (name, title, mimeType, parent) => {
    const file = Drive.Files.create(Object.assign({ name: title, mimeType }, parent && { parents: [parent] }), null, {
      supportsAllDrives: true,
      fields: "id",
    });
    properties.setProperty(name, file.id);
    return file.id;
  };
  const SHEET = "application/vnd.google-apps.spreadsheet";
  const folder = property("FOLDER_ID") || made("FOLDER_ID", "Tenantry", "application/vnd.google-apps.folder", null);
  if (!property("REGISTRY_SPREADSHEET_ID")) {
    const sheet = SpreadsheetApp.openById(made("REGISTRY_SPREADSHEET_ID", "Tenantry registry", SHEET, folder)).getSheets()[0];
    // As text: no id is to be read as a number or a date.
    sheet.getRange("A:D").setNumberFormat("@");
    sheet.appendRow(COLUMNS);
    sheet.setFrozenRows(1);
  }
  if (!property("TEMPLATE_SPREADSHEET_ID")) furnish(made("TEMPLATE_SPREADSHEET_ID", "Tenantry template", SHEET, folder));
  const secret = property("GAS_HMAC_SECRET") ? [] : ["GAS_HMAC_SECRET is missing"];
  console.log([...secret, ...problems()].join(", ") || "Everything is there.");
}

/** A first template: a heading in the club's colours, and what is known of it. Change it as you like, and keep the named ranges. */
function furnish(id) {
  const [sheet] = Sheets.Spreadsheets.get(id, { fields: "sheets.properties.sheetId" }).sheets;
  const { sheetId } = sheet.properties;
  const at = (row, column) => ({ sheetId, startRowIndex: row, endRowIndex: row + 1, startColumnIndex: column, endColumnIndex: column + 1 });
  const named = (name, range) => ({ addNamedRange: { namedRange: { name, range } } });
  const band = Object.assign(at(0, 0), { endColumnIndex: 2 });
  Sheets.Spreadsheets.batchUpdate(
    {
      requests: [
        named("CLUB_NAME", at(0, 0)),
        named("CLUB_PRIMARY", band),
        named("CLUB_SECONDARY", Object.assign(at(1, 0), { endColumnIndex: 2 })),
        named("CLUB_EMAIL", at(2, 1)),
        named("CLUB_ADDRESS", at(3, 1)),
      ],
    },
    id,
  );
  const values = [["Contact"], ["Address"]];
  Sheets.Spreadsheets.Values.batchUpdate({ valueInputOption: "RAW", data: [{ range: "A3:A4", values }] }, id);
}
