// Google's objects, as far as integrations/apps-script/Code.gs uses them, and that very file in a VM among them.
//
//   const script = await startScript({ properties: { GAS_HMAC_SECRET: "…" } });
//   script.post({ action: "version" }, { secret: "…" });
//
// What is copied of Google's: a file is there at once by its id; a missing one is an exception with `details.code` 404; a text in a cell
// that begins with "=" is a formula unless it is written RAW; a mail address without an account can be shared with by a mail only.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";

const CODE = readFileSync(new URL("../../../integrations/apps-script/Code.gs", import.meta.url), "utf8");

export const apiError = (code, reason, message = `API call failed with error: ${reason}`) =>
  Object.assign(new Error(message), { details: { code, errors: [{ reason, message }] } });

export const signatureOf = (body, secret) => createHmac("sha256", secret).update(body).digest("hex");

/** Set up by the script's own `setUp`, but for what `properties` has. */
export function startScript({ properties = {} } = {}) {
  const state = {
    properties: { ...properties },
    files: new Map(),
    logged: [],
    mailed: [],
    locked: false,
    busy: false,
    now: 1_800_000_000_000,
    /** Called before each call of Google's APIs with its name: may throw, or do something else meanwhile. */
    before: () => {},
  };
  const context = createContext({ ...objects(state) });
  runInContext(CODE, context, { filename: "Code.gs" });
  runInContext("setUp()", context);

  /** What the platform would hand over, whatever it is. */
  const deliver = (event) => {
    context.event = event;
    const { text, type } = runInContext("doPost(event)", context);
    if (type !== "application/json") throw new Error(`answered as ${type}`);
    return JSON.parse(text);
  };
  const script = {
    state,
    properties: state.properties,
    deliver,
    /** A request as it came: its body, and the signature from its address. */
    receive: (contents, signature) =>
      deliver({ parameter: signature === null ? {} : { signature }, postData: { contents, type: "application/json", length: contents.length } }),
    post: (value, { secret = state.properties.GAS_HMAC_SECRET } = {}) => {
      const body = typeof value === "string" ? value : JSON.stringify(value);
      return script.receive(body, signatureOf(body, secret));
    },
    setUp: () => runInContext("setUp()", context),
    /** The tenants' spreadsheets, in the order in which they were made. */
    sheets: () => [...state.files.values()].filter(({ appProperties, trashed }) => appProperties && !trashed),
    file: (id) => state.files.get(id),
    /** What stands in the cell, or the first cell, of a spreadsheet's named range. */
    shown: (id, name) => {
      const file = state.files.get(id);
      const { range } = file.namedRanges.find((one) => one.name === name);
      return file.cells[`${range.startRowIndex}:${range.startColumnIndex}`];
    },
    rows: () => state.files.get(state.properties.REGISTRY_SPREADSHEET_ID).rows,
  };
  return script;
}

let made = 0;

function objects(state) {
  const call = (name) => state.before(name);
  const fileOf = (id) => {
    const file = state.files.get(id);
    if (!file) throw apiError(404, "notFound", `File not found: ${id}.`);
    return file;
  };
  const create = (fields) => {
    made += 1;
    const file = { id: `1file_${String(made).padStart(38, "0")}`, trashed: false, rows: [], namedRanges: [], cells: {}, painted: [], ...fields };
    file.permissions = [{ id: "p_owner", role: "owner" }];
    state.files.set(file.id, file);
    return file;
  };
  const Files = {
    create: (resource) => {
      call("files.create");
      return { id: create({ ...resource }).id };
    },
    get: (id) => {
      call("files.get");
      const { trashed, appProperties } = fileOf(id);
      return { id, trashed, appProperties: appProperties && { ...appProperties } };
    },
    copy: (resource, id) => {
      call("files.copy");
      const { namedRanges, cells } = fileOf(id);
      (resource.parents ?? []).forEach(fileOf);
      const copy = create({ namedRanges, cells: { ...cells }, ...resource });
      state.before("files.copied");
      return { id: copy.id };
    },
    list: ({ q }) => {
      call("files.list");
      const [, key] = /^appProperties has \{ key='tenantryKey' and value='([^']*)' \} and trashed = false$/.exec(q);
      return { files: [...state.files.values()].filter((f) => !f.trashed && f.appProperties?.tenantryKey === key).map(({ id }) => ({ id })) };
    },
    update: (resource, id, media) => {
      call("files.update");
      if (media !== null) throw new Error("media");
      return Object.assign(fileOf(id), resource);
    },
  };
  const Permissions = {
    create: ({ type, role, emailAddress }, id, { sendNotificationEmail }) => {
      call("permissions.create");
      if (type !== "user") throw apiError(400, "invalid");
      if (emailAddress.startsWith("no-account") && !sendNotificationEmail) throw apiError(400, "invalidSharingRequest");
      if (emailAddress.startsWith("refused")) throw apiError(403, "publishOutNotPermitted", "Sharing outside is not allowed.");
      if (sendNotificationEmail) state.mailed.push(emailAddress);
      const file = fileOf(id);
      file.permissions = [...file.permissions.filter((one) => one.emailAddress !== emailAddress), { id: `p_${emailAddress}`, role, emailAddress }];
    },
    // Two to a page.
    list: (id, { pageToken = "0" }) => {
      call("permissions.list");
      const all = fileOf(id).permissions;
      const from = Number(pageToken);
      return { permissions: all.slice(from, from + 2), ...(all.length > from + 2 && { nextPageToken: String(from + 2) }) };
    },
    remove: (id, permission) => {
      call("permissions.remove");
      const file = fileOf(id);
      file.permissions = file.permissions.filter((one) => one.id !== permission);
    },
  };
  const Spreadsheets = {
    get: (id, { fields }) => {
      call("spreadsheets.get");
      const { namedRanges } = fileOf(id);
      return fields === "namedRanges" ? { namedRanges } : { sheets: [{ properties: { sheetId: 7 } }] };
    },
    batchUpdate: ({ requests }, id) => {
      call("spreadsheets.batchUpdate");
      const file = fileOf(id);
      for (const { addNamedRange, repeatCell } of requests) {
        if (addNamedRange) file.namedRanges = [...file.namedRanges, addNamedRange.namedRange];
        if (repeatCell) file.painted.push(repeatCell);
      }
    },
    Values: {
      batchUpdate: ({ valueInputOption, data }, id) => {
        call("values.batchUpdate");
        const file = fileOf(id);
        for (const { range, values } of data) {
          const named = file.namedRanges.find(({ name }) => name === range);
          const [[text]] = values;
          const shown = valueInputOption === "RAW" || !/^[=+']/.test(text) ? text : "#ERROR!";
          const at = named ? `${named.range.startRowIndex}:${named.range.startColumnIndex}` : range;
          file.cells[at] = shown;
        }
      },
    },
  };
  // The registry: one sheet, whose rows are `rows` of its file. What is written is there for others after `flush` only.
  const sheetOf = (file) => ({
    appendRow: (row) => {
      locked();
      file.rows.push(row.map(String));
    },
    setFrozenRows: () => {},
    getRange: (first, column, height, width) => ({
      setNumberFormat: () => {},
      createTextFinder: (text) => ({
        matchCase: () => ({
          matchEntireCell: () => ({
            findNext: () => {
              const at = file.rows.findIndex(([key]) => key === text);
              return at < 0 ? null : { getRow: () => at + 1 };
            },
          }),
        }),
      }),
      getValues: () => [file.rows[first - 1].slice(column - 1, column - 1 + width)],
      setValues: ([row]) => {
        locked();
        if (height !== 1 || row.length !== width) throw new Error("The number of columns does not match.");
        file.rows[first - 1] = row.map(String);
      },
    }),
  });
  const locked = () => {
    if (!state.locked && state.properties.TEMPLATE_SPREADSHEET_ID) throw new Error("written without the lock");
  };
  return {
    Drive: { Files, Permissions },
    Sheets: { Spreadsheets },
    SpreadsheetApp: {
      openById: (id) => {
        call("openById");
        return { getSheets: () => [sheetOf(fileOf(id))] };
      },
      flush: () => call("flush"),
    },
    LockService: {
      getScriptLock: () => ({
        tryLock: () => !state.busy && !state.locked && (state.locked = true),
        releaseLock: () => (state.locked = false),
      }),
    },
    PropertiesService: {
      getScriptProperties: () => ({
        getProperty: (name) => state.properties[name] ?? null,
        setProperty: (name, value) => (state.properties[name] = value),
      }),
    },
    Utilities: {
      Charset: { UTF_8: "utf8" },
      // Java's bytes are signed.
      computeHmacSha256Signature: (text, key, charset) => [...new Int8Array(createHmac("sha256", Buffer.from(key, charset)).update(text, charset).digest())],
    },
    ContentService: {
      MimeType: { JSON: "application/json" },
      createTextOutput: (text) => ({ setMimeType: (type) => ({ text, type }) }),
    },
    console: { log: (line) => state.logged.push(line), warn: (line) => state.logged.push(line) },
    Date: class extends Date {
      static now() {
        return state.now;
      }
    },
  };
}
