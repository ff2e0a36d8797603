-- What operators need after an outage: which object does not answer, and which clubs failed, those that failed first first.

-- Since when a tenant's object has not answered the sweep; older than its last move, it says nothing. A run whose object can't say
-- that it ended is given up by the sweep.
alter table tenants add column unreachable_since integer;

-- Those that failed and can be tried again: only they have entries here, so that no other club pays for it.
create index tenants_failed on tenants (provision_updated_at)
  where provision_state = 'failed' and provisioned_at is null and undo_state is null and status in ('trial', 'active');
create index tenants_failed_for on tenants (provision_reason, provision_updated_at)
  where provision_state = 'failed' and provisioned_at is null and undo_state is null and status in ('trial', 'active');
