-- Lifecycle events on their way to the clubs' webhooks, and webhooks that are switched off because nobody answers there.

create table webhook_deliveries (
  tenant_id text not null references tenants (id),
  -- When what it announces happened: together with the id, the key of the domain event. A replay adds nothing, and the
  -- table itself is a club's list, newest last.
  created_at integer not null,
  -- The id of the domain event, and of the message: the receiver recognises a repeat by it.
  id text not null,
  type text not null,
  -- As it is sent, to the byte, each time.
  body text not null check (json_valid(body)),
  -- The trace of the request that it all began with.
  traceparent text,
  status text not null default 'pending' check (status in ('pending', 'delivered', 'failed', 'cancelled')),
  attempts integer not null default 0 check (attempts >= 0),
  -- When it is tried next; while it is being tried, when it is tried again if nobody comes back to say how it ended.
  next_at integer,
  last_status integer,
  -- A word of ours, never the other side's.
  last_error text,
  settled_at integer,
  primary key (tenant_id, created_at, id),
  check ((status = 'pending') = (next_at is not null) and (status = 'pending') = (settled_at is null))
) strict, without rowid;

-- What the sweep sends, and what it removes.
create index webhook_deliveries_due on webhook_deliveries (next_at) where status = 'pending';
create index webhook_deliveries_settled on webhook_deliveries (settled_at) where settled_at is not null;

-- Since when every delivery has failed; a success clears it.
alter table make_connections add column failing_since integer;
-- Since when nothing is sent there any more, and why. Storing a webhook again, or one that answers a ping, clears both.
alter table make_connections add column disabled_at integer;
alter table make_connections add column disabled_reason text check (disabled_reason in ('gone', 'failing'));
