// Cloudflare's DNS records (https://developers.cloudflare.com/api/resources/dns/subresources/records) and zones
// (https://developers.cloudflare.com/api/resources/zones), to be read in pages. The sandbox copies the envelope {success, errors, messages,
// result, result_info} and identifiers of 32 hexadecimal digits. Every identifier is a zone, and one is that of development's clubs. It is
// listed with those that have records. It knows which records may stand together and which may not (81053, 81054, 81058). It has the errors
// for a missing record (81044) and for the credential (9106, 6003, 10000). There are no idempotency keys here: a caller looks by name first
// and marks its records in `comment`.

import { cloudflareAccess, lookOf } from "./checks.js";
import { isObject, isText, json, parseJson } from "./replies.js";
import { bearerVerdict, toHex } from "./signatures.js";

const RECORDS = /^\/client\/v4\/zones\/([^/]+)\/dns_records(?:\/([^/]+))?$/;
const ZONES = /^\/client\/v4\/zones(?:\/([^/]+))?$/;
const HOME = { id: "0123456789abcdef0123456789abcdef", name: "clubs.example" };
const IDENTIFIER = /^[0-9a-f]{32}$/;
const ADDRESS_TYPES = ["A", "AAAA", "CNAME"];
const TYPES = [...ADDRESS_TYPES, "TXT", "MX", "NS"];
const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;

const envelope = (status, result, extra = {}) =>
  json(status, { success: true, errors: [], messages: [], result, ...extra });

const refuse = (status, code, message) =>
  json(status, { success: false, errors: [{ code, message }], messages: [], result: null });

export const cloudflare = {
  name: "cloudflare",
  plays: (host) => host === "api.cloudflare.com",
  identify: (call) => {
    const zones = ZONES.exec(call.path);
    if (zones) return { operation: zones[1] ? "zones.get" : "zones.list", key: null, effect: false };
    const look = lookOf(call);
    if (look) return { operation: look, key: null, effect: false };
    const id = RECORDS.exec(call.path)?.[2];
    if (call.method === "POST") return { operation: "dns_records.create", key: recordKey(call), effect: true };
    if (call.method === "PATCH") return { operation: "dns_records.update", key: id ?? null, effect: true };
    if (call.method === "DELETE") return { operation: "dns_records.delete", key: id ?? null, effect: true };
    return { operation: id ? "dns_records.get" : "dns_records.list", key: null, effect: false };
  },
  verify: async (call, { env }) => bearerVerdict(call.headers.authorization, env.CLOUDFLARE_API_TOKEN),
  answer: (call, tools) => refuseCaller(call, tools) ?? cloudflareAccess(call) ?? route(call, tools),
  failure: (status) => refuse(status, status === 429 ? 971 : 10001, "The request could not be processed."),
};

// Two creations with the same result here are the same request. The real API has no such key, the sandbox counts by it.
function recordKey(call) {
  const input = parseJson(call.body);
  return isText(input?.type) && isText(input?.name) ? `${input.type} ${input.name.toLowerCase()}` : null;
}

function refuseCaller(call, { signature }) {
  if (call.headers.authorization === undefined) {
    return refuse(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
  }
  if (!signature.present) return refuse(400, 6003, "Invalid request headers");
  if (signature.valid === false) return refuse(403, 10000, "Authentication error");
  if (lookOf(call) !== undefined && call.method === "GET") return undefined;
  const match = RECORDS.exec(call.path) ?? ZONES.exec(call.path);
  if (match && IDENTIFIER.test(match[1] ?? HOME.id)) return undefined;
  return refuse(
    match ? 400 : 404,
    7003,
    `Could not route to ${call.path}, perhaps your object identifier is invalid?`,
  );
}

function route(call, tools) {
  const zones = ZONES.exec(call.path);
  if (zones && call.method !== "GET") return refuse(405, 10405, "Method not allowed for this authentication scheme");
  if (zones) return zones[1] ? envelope(200, zoneOf(zones[1])) : listZones(call, tools);
  const [, zone, id] = RECORDS.exec(call.path);
  if (id === undefined && call.method === "GET") return list(call, zone, tools);
  if (id === undefined && call.method === "POST") return create(call, zone, tools);
  if (id !== undefined && call.method === "GET") return get(zone, id, tools);
  if (id !== undefined && call.method === "PATCH") return update(call, zone, id, tools);
  if (id !== undefined && call.method === "DELETE") return remove(zone, id, tools);
  return refuse(405, 10405, "Method not allowed for this authentication scheme");
}

function list(call, zone, { sql }) {
  const query = new URL(call.url).searchParams;
  const wanted = (field) => query.get(field) ?? query.get(`${field}.exact`);
  const result = sql
    .exec("select body from dns_records where zone_id = ? order by id", zone)
    .toArray()
    .map((row) => JSON.parse(row.body))
    .filter((record) =>
      ["name", "type", "content", "comment"].every(
        (field) => wanted(field) === null || matches(record, field, wanted(field)),
      ),
    );
  return paged(call, result, { size: 100, most: 5000 });
}

// Pages are counted from one. What lies behind the last is empty.
function paged(call, all, { size, most }) {
  const query = new URL(call.url).searchParams;
  const number = (name, otherwise) => {
    const value = Number(query.get(name));
    return Number.isInteger(value) && value > 0 ? value : otherwise;
  };
  const page = number("page", 1);
  const perPage = Math.min(number("per_page", size), most);
  const result = all.slice((page - 1) * perPage, page * perPage);
  const counts = { count: result.length, total_count: all.length, total_pages: Math.ceil(all.length / perPage) };
  return envelope(200, result, { result_info: { page, per_page: perPage, ...counts } });
}

function listZones(call, { sql }) {
  const query = new URL(call.url).searchParams;
  const others = sql.exec("select distinct zone_id as id from dns_records where zone_id <> ? order by zone_id", HOME.id).toArray();
  const wanted = (zone) => ["name", "status"].every((field) => query.get(field) === null || matches(zone, field, query.get(field)));
  return paged(call, [HOME, ...others].map(({ id }) => zoneOf(id)).filter(wanted), { size: 20, most: 50 });
}

const zoneOf = (id) => ({
  id,
  name: id === HOME.id ? HOME.name : `zone-${id}.example`,
  status: "active",
  paused: false,
  type: "full",
  development_mode: 0,
  name_servers: ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
  account: { id: "f".repeat(32), name: "Sandbox" },
  permissions: ["#dns_records:edit", "#dns_records:read", "#zone:read"],
});

const matches = (record, field, value) => String(record[field] ?? "").toLowerCase() === value.toLowerCase();

function create(call, zone, tools) {
  const input = parseJson(call.body);
  return refuseRecord(input) ?? refuseConflict(input, zone, tools) ?? insert(input, zone, tools);
}

function refuseRecord(input) {
  if (!isObject(input)) return refuse(400, 9207, "Request body is invalid.");
  if (!TYPES.includes(input.type)) return refuse(400, 9004, "DNS record type is invalid.");
  if (!isText(input.name)) return refuse(400, 9000, "DNS name is invalid.");
  if (!isText(input.content)) return refuse(400, 9005, `Content for ${input.type} record is invalid.`);
  if (input.type === "A" && !IPV4.test(input.content)) {
    return refuse(400, 9005, "Content for A record must be a valid IPv4 address.");
  }
  return undefined;
}

function refuseConflict(input, zone, { sql }) {
  const there = sql
    .exec("select body from dns_records where zone_id = ? and name = ?", zone, input.name.toLowerCase())
    .toArray()
    .map((row) => JSON.parse(row.body));
  if (there.some((record) => record.type === input.type && record.content === input.content)) {
    return refuse(400, 81058, "An identical record already exists.");
  }
  if (ADDRESS_TYPES.includes(input.type) && there.some((record) => record.type === "CNAME")) {
    return refuse(400, 81053, "An A, AAAA, or CNAME record with that host already exists.");
  }
  if (input.type === "CNAME" && there.some((record) => ADDRESS_TYPES.includes(record.type))) {
    return refuse(400, 81053, "An A, AAAA, or CNAME record with that host already exists.");
  }
  return undefined;
}

function insert(input, zone, { sql, now, done }) {
  const at = new Date(now).toISOString();
  const record = {
    id: toHex(crypto.getRandomValues(new Uint8Array(16))),
    name: input.name.toLowerCase(),
    type: input.type,
    content: input.content,
    proxiable: ADDRESS_TYPES.includes(input.type),
    proxied: input.proxied === true,
    ttl: Number.isInteger(input.ttl) ? input.ttl : 1,
    settings: {},
    meta: {},
    comment: isText(input.comment) ? input.comment : null,
    tags: Array.isArray(input.tags) ? input.tags : [],
    created_on: at,
    modified_on: at,
  };
  sql.exec(
    "insert into dns_records (record_id, zone_id, name, body) values (?, ?, ?, ?)",
    record.id,
    zone,
    record.name,
    JSON.stringify(record),
  );
  done();
  return envelope(200, record);
}

function get(zone, id, { sql }) {
  const [row] = sql.exec("select body from dns_records where zone_id = ? and record_id = ?", zone, id).toArray();
  return row ? envelope(200, JSON.parse(row.body)) : refuse(404, 81044, "Record does not exist.");
}

// What people change in the dashboard: a comment, above all, by which a record is known as ours.
function update(call, zone, id, { sql, now, done }) {
  const [row] = sql.exec("select body from dns_records where zone_id = ? and record_id = ?", zone, id).toArray();
  if (!row) return refuse(404, 81044, "Record does not exist.");
  const input = parseJson(call.body);
  if (!isObject(input)) return refuse(400, 9207, "Request body is invalid.");
  const editable = ["content", "comment", "proxied", "ttl", "tags"].filter((field) => field in input);
  const changed = Object.fromEntries(editable.map((field) => [field, input[field]]));
  const record = { ...JSON.parse(row.body), ...changed, modified_on: new Date(now).toISOString() };
  sql.exec("update dns_records set body = ? where record_id = ?", JSON.stringify(record), id);
  done();
  return envelope(200, record);
}

function remove(zone, id, { sql, done }) {
  const gone = sql
    .exec("delete from dns_records where zone_id = ? and record_id = ? returning record_id", zone, id)
    .toArray();
  if (gone.length === 0) return refuse(404, 81044, "Record does not exist.");
  done();
  return envelope(200, { id });
}
