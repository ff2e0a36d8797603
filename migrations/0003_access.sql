-- Who did what to whom, and what the sweep looks for. Each partial or narrow index serves one statement of the sweep.

create table audit_log (
  id text primary key,
  actor text not null,
  action text not null,
  subject text not null,
  reason text not null,
  request_id text not null,
  data text not null default '{}' check (json_valid(data)),
  occurred_at integer not null
) strict, without rowid;

-- Who holds a key while its request is at work; a crash leaves a lease that ends by itself.
alter table idempotency_keys add column lease text;

create index idempotency_keys_expiry on idempotency_keys (expires_at);
create index magic_links_expiry on magic_links (expires_at);
create index revoked_tokens_expiry on revoked_tokens (expires_at);
-- When the sweep last looked: it looks first at what it has not looked at for longest.
alter table tenants add column swept_at integer not null default 0;
create index tenants_processing on tenants (swept_at) where provision_state = 'processing';
