-- What operators look at: roll-ups that cost the same to read however many clubs there are, and indexes for their lists.
--
-- Triggers keep the roll-ups, and not the statements of the service: what somebody changes by hand counts as well, and no
-- count can drift. A signup writes two rows here, a run that completes three (queued, completed, its club live): wide rows,
-- because a row a label would cost one more for every state that is left.
--
-- D1's migrations know a trigger's body by its upper-case BEGIN and END, and lose it at an END of anything else: no `case`
-- in a body (cloudflare/workers-sdk #10998, #15314).

-- How many clubs there are, by plan and status.
create table tenant_counts (
  plan text primary key check (plan in ('starter', 'pro')),
  trial integer not null,
  active integer not null,
  suspended integer not null,
  cancelled integer not null
) strict, without rowid;

insert into tenant_counts
  select plan, sum(status = 'trial'), sum(status = 'active'), sum(status = 'suspended'), sum(status = 'cancelled')
  from tenants group by plan;

-- How many clubs signed up in each hour. What was refused is not here. The sweep removes what nobody looks at any more.
create table signup_counts (
  -- Hours since 1970.
  hour integer primary key,
  signups integer not null
) strict, without rowid;

insert into signup_counts (hour, signups)
  select created_at / 3600, count(*) from tenants where created_at > unixepoch() - 31 * 86400 group by 1;

-- The runs that were queued on each day, by where they stand now, and how long those took that completed: a histogram of
-- seconds, each bucket without those below it, that only ever grows. A run that changes changes the row of its own day, so
-- that the rows add up to the runs there are, whichever were added together: the sweep adds those up under day 0 that are
-- older than a month. A row alone may then be negative; their sum is not.
create table run_counts (
  -- Days since 1970.
  day integer not null,
  plan text not null check (plan in ('starter', 'pro')),
  processing integer not null,
  completed integer not null,
  failed integer not null,
  took_1 integer not null,
  took_2 integer not null,
  took_5 integer not null,
  took_10 integer not null,
  took_20 integer not null,
  took_30 integer not null,
  took_60 integer not null,
  took_120 integer not null,
  took_300 integer not null,
  took_600 integer not null,
  took_1800 integer not null,
  took_longer integer not null,
  -- All of them together, in seconds.
  took_sum integer not null,
  primary key (day, plan)
) strict, without rowid;

insert into run_counts
  select day, plan, sum(status = 'processing'), sum(status = 'completed'), sum(status = 'failed'),
    sum(took between 0 and 1), sum(took = 2), sum(took between 3 and 5),
    sum(took between 6 and 10), sum(took between 11 and 20), sum(took between 21 and 30),
    sum(took between 31 and 60), sum(took between 61 and 120), sum(took between 121 and 300),
    sum(took between 301 and 600), sum(took between 601 and 1800), sum(took > 1800),
    sum(max(took, 0))
  from (select started_at / 86400 as day, plan, status,
          iif(status = 'completed', max(coalesce(completed_at, updated_at) - started_at, 0), -1) as took
        from provision_runs)
  group by day, plan;

-- The attempts that were refused, or ended nobody knows how. Those that were done are not counted: that would cost each
-- club a row a step, and they are one for each step of a run that completed.
create table step_troubles (
  step text not null,
  outcome text not null,
  attempts integer not null,
  primary key (step, outcome)
) strict, without rowid;

insert into step_troubles
  select step, outcome, count(*) from provision_history where outcome <> 'done' group by step, outcome;

-- What happened, but for what happens to every club: that is a row of another table here. A run that is tried again can fail
-- again before anybody lists it as at work: its failures are counted by their events.
create table event_counts (
  type text primary key,
  events integer not null
) strict, without rowid;

insert into event_counts
  select type, count(*) from domain_events where type not in ('tenant.signed_up', 'tenant.provisioned') group by type;

create trigger tenants_signed_up after insert on tenants
BEGIN
  insert into tenant_counts
  values (new.plan, new.status = 'trial', new.status = 'active', new.status = 'suspended',
    new.status = 'cancelled')
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
  insert into signup_counts (hour, signups) values (new.created_at / 3600, 1)
  on conflict (hour) do update set signups = signups + 1;
END;

create trigger tenants_changed_status after update of status on tenants
when old.status <> new.status and old.plan = new.plan
BEGIN
  update tenant_counts set trial = trial + (new.status = 'trial') - (old.status = 'trial'),
    active = active + (new.status = 'active') - (old.status = 'active'),
    suspended = suspended + (new.status = 'suspended') - (old.status = 'suspended'),
    cancelled = cancelled + (new.status = 'cancelled') - (old.status = 'cancelled')
  where plan = new.plan;
END;

create trigger tenants_changed_plan after update of plan on tenants
when old.plan <> new.plan
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

create trigger tenants_removed after delete on tenants
BEGIN
  insert into tenant_counts
  values (old.plan, -(old.status = 'trial'), -(old.status = 'active'), -(old.status = 'suspended'),
    -(old.status = 'cancelled'))
  on conflict (plan) do update set trial = trial + excluded.trial, active = active + excluded.active,
    suspended = suspended + excluded.suspended, cancelled = cancelled + excluded.cancelled;
END;

create trigger provision_runs_queued after insert on provision_runs
BEGIN
  insert into run_counts
    select new.started_at / 86400, new.plan, new.status = 'processing', new.status = 'completed', new.status = 'failed',
      took between 0 and 1, took = 2, took between 3 and 5, took between 6 and 10,
      took between 11 and 20, took between 21 and 30, took between 31 and 60, took between 61 and 120,
      took between 121 and 300, took between 301 and 600, took between 601 and 1800, took > 1800,
      max(took, 0)
    from (select iif(new.status = 'completed', max(coalesce(new.completed_at, new.updated_at) - new.started_at, 0), -1)
            as took)
    where true
  on conflict (day, plan) do update set
    processing = processing + excluded.processing, completed = completed + excluded.completed, failed = failed + excluded.failed,
    took_1 = took_1 + excluded.took_1, took_2 = took_2 + excluded.took_2, took_5 = took_5 + excluded.took_5,
    took_10 = took_10 + excluded.took_10, took_20 = took_20 + excluded.took_20, took_30 = took_30 + excluded.took_30,
    took_60 = took_60 + excluded.took_60, took_120 = took_120 + excluded.took_120, took_300 = took_300 + excluded.took_300,
    took_600 = took_600 + excluded.took_600, took_1800 = took_1800 + excluded.took_1800,
    took_longer = took_longer + excluded.took_longer, took_sum = took_sum + excluded.took_sum;
END;

create trigger provision_runs_changed after update of status on provision_runs
when old.status <> new.status
BEGIN
  insert into run_counts
    select new.started_at / 86400, new.plan, (new.status = 'processing') - (old.status = 'processing'),
      (new.status = 'completed') - (old.status = 'completed'), (new.status = 'failed') - (old.status = 'failed'),
      took between 0 and 1, took = 2, took between 3 and 5, took between 6 and 10,
      took between 11 and 20, took between 21 and 30, took between 31 and 60, took between 61 and 120,
      took between 121 and 300, took between 301 and 600, took between 601 and 1800, took > 1800,
      max(took, 0)
    from (select iif(new.status = 'completed', max(coalesce(new.completed_at, new.updated_at) - new.started_at, 0), -1)
            as took)
    where true
  on conflict (day, plan) do update set
    processing = processing + excluded.processing, completed = completed + excluded.completed, failed = failed + excluded.failed,
    took_1 = took_1 + excluded.took_1, took_2 = took_2 + excluded.took_2, took_5 = took_5 + excluded.took_5,
    took_10 = took_10 + excluded.took_10, took_20 = took_20 + excluded.took_20, took_30 = took_30 + excluded.took_30,
    took_60 = took_60 + excluded.took_60, took_120 = took_120 + excluded.took_120, took_300 = took_300 + excluded.took_300,
    took_600 = took_600 + excluded.took_600, took_1800 = took_1800 + excluded.took_1800,
    took_longer = took_longer + excluded.took_longer, took_sum = took_sum + excluded.took_sum;
END;

create trigger provision_runs_removed after delete on provision_runs
BEGIN
  insert into run_counts values (old.started_at / 86400, old.plan, -(old.status = 'processing'),
    -(old.status = 'completed'), -(old.status = 'failed'), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
  on conflict (day, plan) do update set processing = processing + excluded.processing,
    completed = completed + excluded.completed, failed = failed + excluded.failed;
END;

create trigger provision_history_troubled after insert on provision_history
when new.outcome <> 'done'
BEGIN
  insert into step_troubles (step, outcome, attempts) values (new.step, new.outcome, 1)
  on conflict (step, outcome) do update set attempts = attempts + 1;
END;

create trigger domain_events_counted after insert on domain_events
when new.type not in ('tenant.signed_up', 'tenant.provisioned')
BEGIN
  insert into event_counts (type, events) values (new.type, 1)
  on conflict (type) do update set events = events + 1;
END;

-- Operators look clubs up by the beginning of a name, and what was done to whom, and by whom.
create index tenants_by_name on tenants (name collate nocase);
create index audit_log_by_subject on audit_log (subject, id);
create index audit_log_by_actor on audit_log (actor, id);
