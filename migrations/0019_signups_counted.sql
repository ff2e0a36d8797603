-- A signup writes nothing of the roll-ups: the sweep counts the new clubs, in the order of their ids, within a minute. Until then
-- whoever asks counts those few. What somebody changes by hand, and what older versions write, is counted at once, as before.
--
-- A club is in the counts if it is marked so, which is the default, or if its id is not beyond the last one that the sweep came to.
-- What becomes of it before that changes no count. A club whose id is not beyond it when it signs up is counted at once.

alter table tenants add column counted integer not null default 1 check (counted in (0, 1));

-- How far the sweep has counted; no row before it first did.
create table signups_counted (
  id integer primary key check (id = 1),
  -- The last tenant's id.
  through text not null
) strict;

insert into signups_counted select 1, max(id) from tenants having max(id) is not null;

-- The triggers of 0007_admin.sql, each with the condition that the club is in the counts.
drop trigger tenants_signed_up;
create trigger tenants_signed_up after insert on tenants
when new.counted = 1 or new.id <= (select through from signups_counted where id = 1)
BEGIN
  insert into tenant_counts
  values (new.plan, new.status = 'trial', new.status = 'active', new.status = 'suspended',
    new.status = 'cancelled')
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
  insert into signup_counts (hour, signups) values (new.created_at / 3600, 1)
  on conflict (hour) do update set signups = signups + 1;
END;

drop trigger tenants_changed_status;
create trigger tenants_changed_status after update of status on tenants
when old.status <> new.status and old.plan = new.plan
  and (old.counted = 1 or old.id <= (select through from signups_counted where id = 1))
BEGIN
  update tenant_counts set trial = trial + (new.status = 'trial') - (old.status = 'trial'),
    active = active + (new.status = 'active') - (old.status = 'active'),
    suspended = suspended + (new.status = 'suspended') - (old.status = 'suspended'),
    cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled')
  where plan = new.plan;
END;

drop trigger tenants_changed_plan;
create trigger tenants_changed_plan after update of plan on tenants
when old.plan <> new.plan
  and (old.counted = 1 or old.id <= (select through from signups_counted where id = 1))
BEGIN
  insert into tenant_counts
  values (old.plan, -(old.status = 'trial'), -(old.status = 'active'), -(old.status = 'suspended'),
    -(old.status = 'cancelled'))
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
  insert into tenant_counts
  values (new.plan, new.status = 'trial', new.status = 'active', new.status = 'suspended',
    new.status = 'cancelled')
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
END;

drop trigger tenants_removed;
create trigger tenants_removed after delete on tenants
when old.counted = 1 or old.id <= (select through from signups_counted where id = 1)
BEGIN
  insert into tenant_counts
  values (old.plan, -(old.status = 'trial'), -(old.status = 'active'), -(old.status = 'suspended'),
    -(old.status = 'cancelled'))
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
END;
