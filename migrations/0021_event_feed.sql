-- What happens to tenants, for the rest of the platform: a feed that other services read, and a webhook of the platform's own.

-- Every domain event in the order of commits: one database has one writer, so that a reader who has seen a number misses none below
-- it. Rows are never removed. They say nothing of a person.
create table event_feed (
  seq integer primary key,
  -- The key of the domain event.
  tenant_id text not null,
  occurred_at integer not null,
  event_id text not null,
  -- By chance: a row that is written anew under the same number, after the database was put back, is another one.
  mark text not null default (lower(hex(randomblob(8))))
) strict;

insert into event_feed (tenant_id, occurred_at, event_id)
  select tenant_id, occurred_at, id from domain_events order by occurred_at, tenant_id, id;

create trigger domain_events_fed after insert on domain_events
BEGIN
  insert into event_feed (tenant_id, occurred_at, event_id) values (new.tenant_id, new.occurred_at, new.id);
END;

-- The platform's own webhook, once there was one: up to where it was sent the feed, and since when every delivery has failed.
create table platform_webhook (
  id integer primary key check (id = 1),
  seq integer not null,
  failing_since integer
) strict;

-- What it is sent. Not in webhook_deliveries: an older version sends all that is there to the tenants' webhooks.
create table platform_deliveries (
  tenant_id text not null,
  -- As in webhook_deliveries, all of them.
  created_at integer not null,
  id text not null,
  type text not null,
  body text not null check (json_valid(body)),
  traceparent text,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
  attempts integer not null default 0 check (attempts >= 0),
  next_at integer,
  last_status integer,
  last_error text,
  settled_at integer,
  claim integer not null default 0,
  -- Its place in the feed.
  seq integer not null unique,
  primary key (tenant_id, created_at, id),
  check ((status = 'pending') = (next_at is not null) and (status = 'pending') = (settled_at is null))
) strict, without rowid;

create index platform_deliveries_due on platform_deliveries (next_at, seq) where status = 'pending';
create index platform_deliveries_settled on platform_deliveries (settled_at) where settled_at is not null;
create index platform_deliveries_by_id on platform_deliveries (id);
