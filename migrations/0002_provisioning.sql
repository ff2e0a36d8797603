-- Provisioning: the clubs' connections, and the listing of runs. The authority for a run is its Durable Object;
-- these tables are what it last told, and never go back in version.

create table make_connections (
  tenant_id text primary key references tenants (id),
  webhook_url text not null,
  -- Encrypted under DATA_KEY.
  webhook_secret text not null,
  validated_at integer,
  updated_at integer not null
) strict, without rowid;

create table pro_automation (
  tenant_id text primary key references tenants (id),
  spreadsheet_id text not null,
  spreadsheet_url text not null,
  verified_at integer,
  created_at integer not null
) strict, without rowid;

create table provision_runs (
  id text primary key,
  tenant_id text not null references tenants (id),
  plan text not null check (plan in ('starter', 'pro')),
  status text not null check (status in ('processing', 'completed', 'failed')),
  step text,
  reason text,
  error text,
  version integer not null,
  -- JSON array of {code, message}.
  warnings text not null default '[]' check (json_valid(warnings)),
  started_at integer not null,
  deadline_at integer not null,
  completed_at integer,
  updated_at integer not null
) strict, without rowid;

-- One live run per tenant.
create unique index provision_runs_live on provision_runs (tenant_id) where status = 'processing';

create table provision_steps (
  run_id text not null references provision_runs (id),
  step text not null,
  position integer not null,
  status text not null check (status in ('pending', 'running', 'completed', 'failed', 'skipped')),
  attempts integer not null,
  started_at integer,
  completed_at integer,
  retry_at integer,
  error_code text,
  error text,
  primary key (run_id, step)
) strict, without rowid;

create table provision_history (
  run_id text not null references provision_runs (id),
  step text not null,
  attempt integer not null,
  outcome text not null check (outcome in ('done', 'refused', 'unknown')),
  error text,
  upstream_status integer,
  -- A duration, not a time.
  ms integer not null,
  started_at integer not null,
  primary key (run_id, step, attempt)
) strict, without rowid;

create table domain_events (
  tenant_id text not null references tenants (id),
  occurred_at integer not null,
  -- Deterministic: a replay adds nothing.
  id text not null,
  type text not null,
  data text not null check (json_valid(data)),
  primary key (tenant_id, occurred_at, id)
) strict, without rowid;
