// What the object remembers. One SQLite database holds everything, so that a restart of the sandbox forgets nothing. A killed service finds
// the outside world exactly as it left it.

// The newest rows that a table keeps; settings (faults, webhooks, the account) are few and stay.
export const KEPT_ROWS = 20_000;

const GROWING = [
  "requests",
  "effects",
  "mails",
  "spreadsheets",
  "spent_keys",
  "echoes",
  "google_tokens",
  "dns_records",
  "turnstile_tokens",
];
const TABLES = [...GROWING, "faults", "webhooks", "google_account", "resend_limit"];

// `autoincrement` keeps ids rising across a reset: a reader's "after" stays valid.
const SCHEMA = `
create table if not exists requests (
  id integer primary key autoincrement, at integer not null, upstream text not null, method text not null,
  url text not null, host text not null, path text not null, headers text not null, body text not null,
  operation text, key text,
  signature_present integer not null, signature_valid integer, fault text, repeated integer not null,
  status integer, response_body text
) strict;
create table if not exists effects (
  id integer primary key autoincrement, upstream text not null, operation text not null, key text not null,
  outside integer not null, count integer not null, requests integer not null, unique (upstream, operation, key)
) strict;
create table if not exists faults (
  id integer primary key autoincrement, body text not null, skip integer not null, times integer,
  applied integer not null
) strict;
create table if not exists mails (
  id integer primary key autoincrement, mail_id text not null unique, at integer not null, key text,
  sender text not null, recipients text not null, subject text not null, html text, text text, payload text not null
) strict;
create index if not exists mails_by_key on mails (key);
create table if not exists webhooks (url text primary key, secret text not null) strict;
create table if not exists spreadsheets (
  id integer primary key autoincrement, spreadsheet_id text not null unique, key text unique, tenant_id text not null,
  title text not null, created_at integer not null
) strict;
create table if not exists spent_keys (
  id integer primary key autoincrement, key text not null unique, tenant_id text not null, spreadsheet_id text
) strict;
create table if not exists echoes (
  id integer primary key autoincrement, key text not null unique, body text not null, created_at integer not null
) strict;
create table if not exists google_account (
  id integer primary key check (id = 1), client_email text not null, public_key text not null
) strict;
create table if not exists resend_limit (id integer primary key check (id = 1), per_second integer not null) strict;
create table if not exists google_tokens (
  id integer primary key autoincrement, token text not null unique, scope text not null, expires_at integer not null
) strict;
create table if not exists dns_records (
  id integer primary key autoincrement, record_id text not null unique, zone_id text not null, name text not null,
  body text not null
) strict;
create index if not exists dns_records_by_name on dns_records (zone_id, name);
create table if not exists turnstile_tokens (
  id integer primary key autoincrement, token text not null unique, key text, at integer not null
) strict;
`;

export const createTables = (sql) => sql.exec(SCHEMA);

export function prune(sql) {
  for (const table of GROWING) {
    sql.exec(`delete from ${table} where id <= (select max(id) from ${table}) - ${KEPT_ROWS}`);
  }
}

export function clear(sql) {
  for (const table of TABLES) sql.exec(`delete from ${table}`);
}
