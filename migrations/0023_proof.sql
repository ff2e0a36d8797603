-- An address proves itself: by a code, or a link, that was mailed there. Until then it stands in a column of its own, so that it keeps
-- nobody from the same address: only proven ones are unique. A club whose address is unproven has no `email`; an older version
-- takes it for one without an address. Clubs of before have proven theirs, as far as anybody knows.

alter table tenants add column unproven_email text collate nocase;
-- When it was proven; null for clubs of before, and for those that nobody asked.
alter table tenants add column email_proven_at integer;
-- When it wanted to be set up, before its address was proven: the proof starts it.
alter table tenants add column provision_wanted_at integer;
-- When an unproven club lapses, and goes with everything that hangs on it; null for all others.
alter table tenants add column lapses_at integer;
-- How often its address was corrected, or tried to be.
alter table tenants add column email_corrections integer not null default 0;

create index tenants_by_unproven_email on tenants (unproven_email) where unproven_email is not null;
create index tenants_lapsing on tenants (lapses_at) where lapses_at is not null;

-- The codes and links that were mailed to unproven addresses; hashed under a key, so that nobody reads them here.
create table email_proofs (
  tenant_id text not null references tenants (id),
  link text not null,
  code text not null,
  -- The code lives for 30 minutes from then, the link for a day.
  issued_at integer not null,
  -- Wrong codes that were tried while this one lived: the fifth burns it.
  tries integer not null default 0 check (tries between 0 and 5),
  primary key (tenant_id, link)
) strict, without rowid;

create index email_proofs_issued on email_proofs (issued_at);

-- How many mails went to unproven addresses: to each mailbox, within a day, and to all of them, within an hour.
create table proof_mails (
  -- A hash of the mailbox; empty for all of them.
  mailbox text primary key,
  -- When counting began: it begins anew when that is over.
  since integer not null,
  mails integer not null check (mails > 0)
) strict, without rowid;

create index proof_mails_since on proof_mails (since);

-- Whoever removes a club looks for what refers to it.
create index magic_links_by_tenant on magic_links (tenant_id);
create index auth_users_by_tenant on auth_users (tenant_id);
create index feed_posts_by_tenant on feed_posts (tenant_id);
create index idempotency_keys_by_tenant on idempotency_keys (tenant_id) where tenant_id is not null;
create index promo_redemptions_by_tenant on promo_redemptions (tenant_id);
