-- Sign-ins that one can see and end, codes beside mailed links, and the tokens of one person cut off.

-- A sign-in by a mailed link, or by what proves an address: a cookie of the pages, or a token that was answered.
create table sessions (
  id text primary key,
  tenant_id text not null references tenants (id),
  user_id text not null,
  -- link, code, proof
  how text not null check (how <> ''),
  -- Whether its token is a cookie of the pages, which is renewed while it is used.
  cookie integer not null check (cookie in (0, 1)),
  -- What the browser calls itself, as one of a few words.
  browser text not null,
  platform text not null,
  -- When its token says that it was issued: cut-offs count from here.
  created_at integer not null,
  -- Written once a day at most.
  seen_at integer not null,
  expires_at integer not null,
  ended_at integer
) strict, without rowid;

create index sessions_by_tenant on sessions (tenant_id, created_at, id);
create index sessions_expiry on sessions (expires_at);

-- A person's tokens that were issued before this are refused. Not in `auth_users`: a person has a token before a row there.
create table user_cutoffs (
  user_id text primary key,
  tokens_valid_after integer not null,
  updated_at integer not null
) strict, without rowid;

-- Which sign-in spent a link.
alter table magic_links add column session_id text;
create unique index magic_links_by_session on magic_links (session_id) where session_id is not null;

-- The code in the mail beside the link, as a keyed hash, and how often another was typed.
alter table magic_links add column code_hash text;
alter table magic_links add column code_tries integer not null default 0;
create index magic_links_codes on magic_links (tenant_id, created_at) where code_hash is not null;
create index magic_links_tried on magic_links (tenant_id) where code_tries > 0;
