-- Mails on their way to the clubs' owners: written in the batch of whatever wants them, and sent within what the mail service
-- allows, for up to a day.
--
-- It costs a club about ten rows, its entries in indexes included, for its welcome mail: written, claimed, marked, settled.

create table mails (
  tenant_id text not null references tenants (id),
  -- welcome, sign_in, webhook_disabled
  kind text not null check (kind <> ''),
  -- The mail service recognises a repeat by it; so does this table. Keys of one kind sort by their age.
  key text not null check (length(key) between 1 and 256),
  id text not null,
  -- What it says beyond what the club's row says when it is sent: no address, no token, no link.
  data text not null default '{}' check (json_valid(data)),
  -- Where its link leads if no ADMIN_CONSOLE_URL is configured.
  origin text,
  -- Its link is made of this moment and its id, and is the same until it is renewed.
  link_issued_at integer,
  -- The request and the trace that it began with.
  request_id text,
  traceparent text,
  status text not null default 'pending' check (status in ('pending', 'sent', 'failed', 'cancelled')),
  -- How often it left: counted just before it does.
  attempts integer not null default 0 check (attempts >= 0),
  -- How often it was claimed: whoever claimed it before has lost it.
  claims integer not null default 0 check (claims >= 0),
  -- When it is tried next; while it is claimed, when it may be claimed again.
  next_at integer,
  -- Whether it has waited for long: somebody may want to look.
  late integer not null default 0 check (late in (0, 1)),
  last_status integer,
  -- A word of ours, never the other side's.
  last_error text,
  created_at integer not null,
  settled_at integer,
  primary key (tenant_id, kind, key),
  check ((status = 'pending') = (next_at is not null) and (status = 'pending') = (settled_at is null))
) strict, without rowid;

-- What the sweep sends, and what it removes.
create index mails_due on mails (next_at) where status = 'pending';
create index mails_settled on mails (settled_at) where settled_at is not null;

-- Where mailed links lead if no ADMIN_CONSOLE_URL is configured: the address at which provisioning was first wanted.
alter table tenants add column link_origin text;

-- How many mails wait, how many of them for long, and how often one was settled, which only grows.
create table mail_counts (
  id integer primary key check (id = 1),
  pending integer not null,
  late integer not null,
  sent integer not null,
  failed integer not null,
  cancelled integer not null
) strict;

create trigger mails_queued after insert on mails
BEGIN
  insert into mail_counts
  values (1, new.status = 'pending', new.status = 'pending' and new.late, new.status = 'sent', new.status = 'failed',
    new.status = 'cancelled')
  on conflict (id) do update set pending = pending + excluded.pending, late = late + excluded.late,
    sent = sent + excluded.sent, failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled;
END;

create trigger mails_changed after update of status, late on mails
when old.status <> new.status or old.late <> new.late
BEGIN
  update mail_counts set pending = pending + (new.status = 'pending') - (old.status = 'pending'),
    late = late + (new.status = 'pending' and new.late) - (old.status = 'pending' and old.late),
    sent = sent + (new.status = 'sent' and old.status <> 'sent'),
    failed = failed + (new.status = 'failed' and old.status <> 'failed'),
    cancelled = cancelled + (new.status = 'cancelled' and old.status <> 'cancelled')
  where id = 1;
END;

create trigger mails_dropped after delete on mails
when old.status = 'pending'
BEGIN
  update mail_counts set pending = pending - 1, late = late - old.late where id = 1;
END;
