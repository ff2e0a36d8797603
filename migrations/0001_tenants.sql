-- The register: tenants, what they signed up with, and what admits them.
-- Times are Unix seconds. Every index here is queried; an index that is not costs a row written per insert.

create table tenants (
  id text primary key,
  -- Null once released by deprovisioning: history stays, the name is free again.
  slug text unique collate nocase check (slug is null or length(slug) between 3 and 63),
  name text not null check (length(name) between 1 and 100),
  email text unique collate nocase,
  plan text not null check (plan in ('starter', 'pro')),
  status text not null default 'trial' check (status in ('trial', 'active', 'suspended', 'cancelled')),
  comped integer not null default 0 check (comped in (0, 1)),
  trial_ends_at integer not null,
  billing_tier text not null default 'standard',
  promo_code_used text,
  -- Who becomes the owner: named at signup, so that the first token and the later user are one person.
  owner_user_id text not null,
  -- SHA-256 of the signup as sent: an identical one is a replay, anything else a conflict.
  signup_fingerprint text not null,
  route_ready integer not null default 0 check (route_ready in (0, 1)),
  -- The intent to provision is stored here before the object is asked, so that it can't be lost between the two.
  provision_state text not null default 'pending'
    check (provision_state in ('pending', 'processing', 'completed', 'failed')),
  provision_reason text,
  provision_run_id text,
  provision_updated_at integer,
  provisioned_at integer,
  owner_email_sent_at integer,
  -- When a link was last mailed on request: mails are rate limited by it.
  link_mailed_at integer not null default 0,
  -- Tokens issued before this are refused.
  tokens_valid_after integer not null default 0,
  created_at integer not null,
  updated_at integer not null
) strict, without rowid;

create table tenant_brand (
  tenant_id text primary key references tenants (id),
  primary_color text not null check (primary_color glob '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
  secondary_color text not null check (secondary_color glob '#[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'),
  updated_at integer not null
) strict, without rowid;

create table promo_codes (
  code text primary key check (length(code) between 4 and 20 and code not glob '*[^A-Z0-9]*'),
  discount_percent integer not null check (discount_percent between 0 and 100),
  -- The plan that the code gives, whatever was chosen.
  plan text check (plan in ('starter', 'pro')),
  lifetime integer not null default 0 check (lifetime in (0, 1)),
  active integer not null default 1 check (active in (0, 1)),
  starts_at integer,
  valid_until integer,
  max_uses integer check (max_uses >= 0),
  uses integer not null default 0,
  -- JSON array of slugs; null means any club.
  tenant_slugs text check (tenant_slugs is null or json_valid(tenant_slugs)),
  notes text,
  created_at integer not null,
  check (uses >= 0 and (max_uses is null or uses <= max_uses))
) strict, without rowid;

create table promo_redemptions (
  code text not null references promo_codes (code),
  tenant_id text not null references tenants (id),
  discount_percent integer not null,
  redeemed_at integer not null,
  primary key (code, tenant_id)
) strict, without rowid;

create table idempotency_keys (
  -- SHA-256 over operation, principal and key: what a caller sends is never a storage key.
  id text primary key,
  operation text not null,
  fingerprint text not null,
  tenant_id text references tenants (id),
  status text not null check (status in ('in_progress', 'completed')),
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;

create table feature_flags (
  name text primary key,
  enabled integer not null check (enabled in (0, 1)),
  -- A number that goes with the flag, such as the moment of a global token cut-off.
  value integer,
  updated_at integer not null
) strict, without rowid;

create table revoked_tokens (
  jti text primary key,
  tenant_id text,
  reason text,
  revoked_at integer not null,
  expires_at integer not null
) strict, without rowid;

create table magic_links (
  -- SHA-256 of the link's id.
  id text primary key,
  tenant_id text not null references tenants (id),
  created_at integer not null,
  expires_at integer not null,
  consumed_at integer
) strict, without rowid;

create table auth_users (
  id text primary key,
  tenant_id text not null references tenants (id),
  email text not null collate nocase,
  roles text not null check (json_valid(roles)),
  created_at integer not null
) strict, without rowid;

create table feed_posts (
  id text primary key,
  tenant_id text not null references tenants (id),
  title text not null,
  body text not null,
  created_at integer not null
) strict, without rowid;
