-- Operators list runs by status, newest first: a run's id begins with its time.
create index provision_runs_by_status on provision_runs (status, id);
create index provision_runs_by_tenant on provision_runs (tenant_id, id);

