// The record of requests and their results. There is one row a request, and one row per idempotency key. The latter says how often the key
// was asked for, and how often the external effect was really done.

import { prune } from "./schema.js";

const STORED_CHARACTERS = 64 * 1024;
const PRUNE_EVERY = 256;
const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 20_000;

// One answer of the object to the Worker may be 32 MiB; a list stops well before.
const MAX_LIST_CHARACTERS = 8 * 1024 * 1024;

const stored = (text) => text?.slice(0, STORED_CHARACTERS) ?? null;

// Counts one more request for the key; true when the key had been seen before.
export function countAsked(sql, upstream, { operation, key, effect }) {
  if (operation === null || (key === null && !effect)) return false;
  const [row] = sql
    .exec(
      `insert into effects (upstream, operation, key, outside, count, requests) values (?, ?, ?, ?, 0, 1)
       on conflict (upstream, operation, key) do update set requests = requests + 1 returning requests`,
      upstream,
      operation,
      key ?? "",
      effect ? 1 : 0,
    )
    .toArray();
  return key !== null && row.requests > 1;
}

export function countDone(sql, upstream, { operation, key }) {
  sql.exec(
    "update effects set count = count + 1 where upstream = ? and operation = ? and key = ?",
    upstream,
    operation,
    key ?? "",
  );
}

// Records a request; `reply` is null when none was given (yet).
export function record(sql, call, { upstream, operation, key, signature, fault, repeated, reply, now }) {
  const [{ id }] = sql
    .exec(
      `insert into requests (at, upstream, method, url, host, path, headers, body, operation, key,
         signature_present, signature_valid, fault, repeated, status, response_body)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) returning id`,
      now,
      upstream,
      call.method,
      call.url,
      call.host,
      call.path,
      JSON.stringify(call.headers),
      stored(call.body),
      operation,
      key,
      signature.present ? 1 : 0,
      signature.valid === null ? null : Number(signature.valid),
      fault,
      repeated ? 1 : 0,
      reply?.status ?? null,
      stored(reply?.body),
    )
    .toArray();
  if (id % PRUNE_EVERY === 0) prune(sql);
  return id;
}

export function recordReply(sql, id, reply) {
  sql.exec("update requests set status = ?, response_body = ? where id = ?", reply.status, stored(reply.body), id);
}

// With `after` the oldest requests since then, without it the newest ones; in either case in the order of arrival.
export function listRequests(sql, { host, path, key, after, limit }) {
  const cursor = sql.exec(
    `select * from requests
     where (?1 is null or host = ?1) and (?2 is null or substr(path, 1, length(?2)) = ?2) and (?3 is null or key = ?3)
       and id > ?4
     order by id ${after === null ? "desc" : "asc"} limit ?5`,
    host,
    path,
    key,
    after ?? 0,
    Math.min(limit ?? DEFAULT_LIMIT, MAX_LIMIT),
  );
  const requests = [];
  let characters = 0;
  for (const row of cursor) {
    characters += row.body.length + row.headers.length + (row.response_body?.length ?? 0);
    if (characters > MAX_LIST_CHARACTERS) break;
    requests.push(toRequest(row));
  }
  return after === null ? requests.reverse() : requests;
}

const toRequest = (row) => ({
  id: row.id,
  at: new Date(row.at).toISOString(),
  upstream: row.upstream,
  operation: row.operation,
  method: row.method,
  url: row.url,
  host: row.host,
  path: row.path,
  headers: JSON.parse(row.headers),
  body: row.body,
  key: row.key,
  signature: {
    present: row.signature_present === 1,
    valid: row.signature_valid === null ? null : row.signature_valid === 1,
  },
  fault: row.fault,
  repeated: row.repeated === 1,
  response: row.status === null ? null : { status: row.status, body: row.response_body },
});

export function listEffects(sql, { upstream, key }) {
  return sql
    .exec(
      `select upstream, operation, nullif(key, '') as key, count, requests from effects
       where outside = 1 and (?1 is null or upstream = ?1) and (?2 is null or key = ?2) order by id`,
      upstream,
      key,
    )
    .toArray();
}

export function listMails(sql, { to, after, limit }) {
  return sql
    .exec(
      `select * from (
         select * from mails where id > ?1
           and (?2 is null or exists (select 1 from json_each(recipients) where instr(lower(value), lower(?2)) > 0))
         order by id desc limit ?3)
       order by id`,
      after ?? 0,
      to,
      Math.min(limit ?? DEFAULT_LIMIT, DEFAULT_LIMIT),
    )
    .toArray()
    .map(toMail);
}

export function findMail(sql, mailId) {
  const [row] = sql.exec("select * from mails where mail_id = ?", mailId).toArray();
  return row === undefined ? null : toMail(row);
}

const toMail = (row) => ({
  id: row.mail_id,
  at: new Date(row.at).toISOString(),
  to: JSON.parse(row.recipients),
  from: row.sender,
  subject: row.subject,
  html: row.html,
  text: row.text,
  key: row.key,
});

export function listSpreadsheets(sql) {
  return sql
    .exec(
      `select spreadsheet_id as id, title, tenant_id as tenantId, key from spreadsheets order by spreadsheets.id desc
       limit ${DEFAULT_LIMIT}`,
    )
    .toArray();
}

export function removeSpreadsheet(sql, id) {
  return sql.exec("delete from spreadsheets where spreadsheet_id = ? returning id", id).toArray().length;
}
