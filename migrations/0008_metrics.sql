-- What monitoring scrapes, as far as 0007_admin.sql does not keep it: how far removing clubs is, how webhooks' deliveries end,
-- what has not moved for longest, and when the sweep last did all of its work. Written as there, and for its reasons.
--
-- It costs a starter club two rows for its delivery, and every club the entries of its run in an index.

-- Single numbers: `sweep_ended_at`, and `tenants_deleted`, which makes the number of signups one that never falls: no code
-- deletes a club, but people may.
create table measures (
  name text primary key check (name <> ''),
  value integer not null
) strict, without rowid;

-- How many clubs are being removed, are gone, or could not be removed.
create table undo_counts (
  id integer primary key check (id = 1),
  undoing integer not null,
  undone integer not null,
  compensation_failed integer not null
) strict;

insert into undo_counts
  select 1, sum(undo_state = 'undoing'), sum(undo_state = 'undone'), sum(undo_state = 'compensation_failed')
  from tenants where undo_state is not null group by true;

-- How many deliveries wait, and how often one was settled, which only grows: what is sent again is settled again, and what is
-- pruned stays counted.
create table delivery_counts (
  id integer primary key check (id = 1),
  pending integer not null,
  delivered integer not null,
  failed integer not null,
  cancelled integer not null
) strict;

insert into delivery_counts
  select 1, sum(status = 'pending'), sum(status = 'delivered'), sum(status = 'failed'), sum(status = 'cancelled')
  from webhook_deliveries group by true;

create trigger tenants_deleted after delete on tenants
BEGIN
  insert into measures (name, value) values ('tenants_deleted', 1)
  on conflict (name) do update set value = value + 1;
END;

create trigger tenants_inserted_undoing after insert on tenants
when new.undo_state is not null
BEGIN
  insert into undo_counts
  values (1, new.undo_state = 'undoing', new.undo_state = 'undone', new.undo_state = 'compensation_failed')
  on conflict (id) do update set undoing = undoing + excluded.undoing, undone = undone + excluded.undone,
    compensation_failed = compensation_failed + excluded.compensation_failed;
END;

create trigger tenants_changed_undoing after update of undo_state on tenants
when old.undo_state is not new.undo_state
BEGIN
  insert into undo_counts
  values (1, (new.undo_state is 'undoing') - (old.undo_state is 'undoing'),
    (new.undo_state is 'undone') - (old.undo_state is 'undone'),
    (new.undo_state is 'compensation_failed') - (old.undo_state is 'compensation_failed'))
  on conflict (id) do update set undoing = undoing + excluded.undoing, undone = undone + excluded.undone,
    compensation_failed = compensation_failed + excluded.compensation_failed;
END;

create trigger tenants_deleted_undoing after delete on tenants
when old.undo_state is not null
BEGIN
  update undo_counts set undoing = undoing - (old.undo_state = 'undoing'), undone = undone - (old.undo_state = 'undone'),
    compensation_failed = compensation_failed - (old.undo_state = 'compensation_failed')
  where id = 1;
END;

create trigger webhook_deliveries_queued after insert on webhook_deliveries
BEGIN
  insert into delivery_counts
  values (1, new.status = 'pending', new.status = 'delivered', new.status = 'failed', new.status = 'cancelled')
  on conflict (id) do update set pending = pending + excluded.pending, delivered = delivered + excluded.delivered,
    failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled;
END;

create trigger webhook_deliveries_changed after update of status on webhook_deliveries
when old.status <> new.status
BEGIN
  update delivery_counts set pending = pending + (new.status = 'pending') - (old.status = 'pending'),
    delivered = delivered + (new.status = 'delivered'), failed = failed + (new.status = 'failed'),
    cancelled = cancelled + (new.status = 'cancelled')
  where id = 1;
END;

create trigger webhook_deliveries_dropped after delete on webhook_deliveries
when old.status = 'pending'
BEGIN
  update delivery_counts set pending = pending - 1 where id = 1;
END;

-- What has not moved for longest is at their beginning.
create index tenants_unmoved on tenants (provision_updated_at)
  where provision_state = 'processing' and undo_state is null and provisioned_at is null;
create index tenants_undoing_unmoved on tenants (undo_updated_at) where undo_state = 'undoing';
