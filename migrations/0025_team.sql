-- The people of a tenant: several may sign in, be invited, leave, and hand the tenant on. The same person may belong to several tenants: only
-- a tenant's own address stays unique, and that is its first owner's.

alter table auth_users add column name text check (name <> '');
-- When somebody last signed in.
alter table auth_users add column signed_in_at integer;
-- When a link was last mailed to somebody who is not the first owner.
alter table auth_users add column link_mailed_at integer not null default 0;

create index auth_users_by_email on auth_users (email);

-- Whom a link signs in; null for the first owner.
alter table magic_links add column user_id text;
-- Whether it was asked for without naming a tenant: then it opens any one that its reader belongs to.
alter table magic_links add column chooses integer not null default 0 check (chooses in (0, 1));

create index magic_links_by_user on magic_links (user_id, created_at) where user_id is not null;

create table invitations (
  id text primary key,
  tenant_id text not null references tenants (id),
  email text not null collate nocase,
  -- owner, tenant_admin
  role text not null check (role <> ''),
  -- What the inviter says.
  message text,
  -- open, used, revoked; one that is over is open, and too late.
  state text not null default 'open' check (state <> ''),
  -- Which mail's link counts: each mail makes older links superseded.
  version integer not null default 1,
  -- The person who invites, or an operator's name.
  invited_by text not null,
  expires_at integer not null,
  -- Who came of it, and when.
  accepted_by text,
  settled_at integer,
  mailed_at integer not null,
  mails integer not null default 1,
  -- When its reader last asked for another one.
  asked_at integer not null default 0,
  created_at integer not null
) strict, without rowid;

create unique index invitations_open on invitations (tenant_id, email) where state = 'open';
create index invitations_by_tenant on invitations (tenant_id, email);
create index invitations_ending on invitations (expires_at);

-- What the links in the mails have, hashed: so their holders are told what became of them, and nobody else is.
create table invitation_links (
  hash text primary key,
  invitation_id text not null references invitations (id),
  version integer not null
) strict, without rowid;

create index invitation_links_by_invitation on invitation_links (invitation_id);

-- A tenant that is offered to one of its people: one at a time.
create table ownership_transfers (
  tenant_id text primary key references tenants (id),
  from_user text not null,
  to_user text not null,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
