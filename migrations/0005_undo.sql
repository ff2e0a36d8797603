-- Undoing what a run made, and letting a club go: what is to be removed, how far that is, and who asked in which request.

-- The intent is stored here before the object is asked, as for provisioning.
alter table tenants add column undo_state text check (undo_state in ('undoing', 'undone', 'compensation_failed'));
alter table tenants add column undo_updated_at integer;
-- The sweep looks for those whose alarm was lost.
create index tenants_undoing on tenants (swept_at) where undo_state = 'undoing';

alter table provision_runs add column undo_state text check (undo_state in ('undoing', 'undone', 'compensation_failed'));
alter table provision_runs add column undo_step text;
alter table provision_runs add column undo_reason text;
alter table provision_runs add column undo_error text;
-- Operators list what could not be removed, newest first.
create index provision_runs_by_undo on provision_runs (undo_state, id) where undo_state is not null;

-- Attempts at undoing a step are numbered behind those at doing it.
alter table provision_history add column undo integer not null default 0 check (undo in (0, 1));
alter table provision_history add column request_id text;

-- What a step made, and what became of it: written when it is made, and again when it is removed.
create table provision_undo (
  run_id text not null references provision_runs (id),
  step text not null,
  -- spreadsheet, dns_record, route, owner, name
  kind text not null,
  -- Of the other side; null if it was never told, or if there is none.
  external_id text,
  -- 0: it was found there, and bore the club's marker.
  created_by_us integer not null check (created_by_us in (0, 1)),
  status text not null check (status in ('held', 'removing', 'removed', 'failed', 'left')),
  attempts integer not null,
  started_at integer,
  removed_at integer,
  error_code text,
  error text,
  primary key (run_id, step)
) strict, without rowid;
