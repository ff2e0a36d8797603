-- Operators search clubs by any part of their names, whatever the case and the accents, and by any id of ours.

-- The name without case and accents, as the service folds it; null until it did, as for what an older version writes.
alter table tenants add column name_folded text;

create index tenants_by_folded_name on tenants (name_folded);

-- A name that is changed by whoever doesn't fold it is folded again.
create trigger tenants_renamed after update of name on tenants
when new.name is not old.name and new.name_folded is old.name_folded and new.name_folded is not null
BEGIN
  update tenants set name_folded = null where id = new.id;
END;

create index tenants_by_owner on tenants (owner_user_id);
create index domain_events_by_id on domain_events (id);
create index mails_by_id on mails (id);
create index audit_log_by_request on audit_log (request_id);
-- The first attempt of a run, and those that somebody else's request wanted.
create index provision_history_by_request on provision_history (request_id)
  where request_id is not null and (step = 'seed_defaults' or attempt > 1);

-- What the other side said when it refused, short and safe to show.
alter table provision_history add column said text;
