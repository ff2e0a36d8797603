-- What goes on by itself: runs that failed for an outage, and the objects of tenants that were removed.

-- When a run that failed for an outage is resumed without anyone asking; null if it is not.
alter table tenants add column resume_at integer;
create index tenants_resumable on tenants (resume_at) where resume_at is not null;

-- When the object of a removed tenant, which holds its name and address, is to delete what it stores; null once it has.
alter table tenants add column forget_at integer;
create index tenants_forgettable on tenants (forget_at) where forget_at is not null;

update tenants set forget_at = undo_updated_at + 30 * 86400 where undo_state = 'undone';

-- A database that was put back is compared with what the objects know, tenant by tenant, until nothing differs any more.
create table comparisons (
  id integer primary key check (id = 1),
  -- The last tenant that was compared.
  cursor text not null,
  -- How many of this pass differed.
  differing integer not null,
  passes integer not null
) strict;
