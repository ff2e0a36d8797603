-- How long a run took leaves out how long it waited for a person: failed until somebody had it tried again, or paused.
alter table provision_runs add column waited integer not null default 0;

-- The counts of a run that waited move to the bucket of what it took itself. Older versions write no wait, and count as before.
create trigger provision_runs_waited after update of status on provision_runs
when old.status <> new.status and new.status = 'completed' and new.waited > 0
BEGIN
  insert into run_counts
    select new.started_at / 86400, new.plan, 0, 0, 0,
      (took between 0 and 1) - (lasted between 0 and 1), (took = 2) - (lasted = 2),
      (took between 3 and 5) - (lasted between 3 and 5), (took between 6 and 10) - (lasted between 6 and 10),
      (took between 11 and 20) - (lasted between 11 and 20), (took between 21 and 30) - (lasted between 21 and 30),
      (took between 31 and 60) - (lasted between 31 and 60), (took between 61 and 120) - (lasted between 61 and 120),
      (took between 121 and 300) - (lasted between 121 and 300), (took between 301 and 600) - (lasted between 301 and 600),
      (took between 601 and 1800) - (lasted between 601 and 1800), (took > 1800) - (lasted > 1800),
      took - lasted
    from (select max(lasted - new.waited, 0) as took, lasted
      from (select max(coalesce(new.completed_at, new.updated_at) - new.started_at, 0) as lasted))
    where true
  on conflict (day, plan) do update set
    took_1 = took_1 + excluded.took_1, took_2 = took_2 + excluded.took_2, took_5 = took_5 + excluded.took_5,
    took_10 = took_10 + excluded.took_10, took_20 = took_20 + excluded.took_20, took_30 = took_30 + excluded.took_30,
    took_60 = took_60 + excluded.took_60, took_120 = took_120 + excluded.took_120, took_300 = took_300 + excluded.took_300,
    took_600 = took_600 + excluded.took_600, took_1800 = took_1800 + excluded.took_1800,
    took_longer = took_longer + excluded.took_longer, took_sum = took_sum + excluded.took_sum;
END;

-- One that is listed anew in a database that was put back.
create trigger provision_runs_waited_before after insert on provision_runs
when new.status = 'completed' and new.waited > 0
BEGIN
  insert into run_counts
    select new.started_at / 86400, new.plan, 0, 0, 0,
      (took between 0 and 1) - (lasted between 0 and 1), (took = 2) - (lasted = 2),
      (took between 3 and 5) - (lasted between 3 and 5), (took between 6 and 10) - (lasted between 6 and 10),
      (took between 11 and 20) - (lasted between 11 and 20), (took between 21 and 30) - (lasted between 21 and 30),
      (took between 31 and 60) - (lasted between 31 and 60), (took between 61 and 120) - (lasted between 61 and 120),
      (took between 121 and 300) - (lasted between 121 and 300), (took between 301 and 600) - (lasted between 301 and 600),
      (took between 601 and 1800) - (lasted between 601 and 1800), (took > 1800) - (lasted > 1800),
      took - lasted
    from (select max(lasted - new.waited, 0) as took, lasted
      from (select max(coalesce(new.completed_at, new.updated_at) - new.started_at, 0) as lasted))
    where true
  on conflict (day, plan) do update set
    took_1 = took_1 + excluded.took_1, took_2 = took_2 + excluded.took_2, took_5 = took_5 + excluded.took_5,
    took_10 = took_10 + excluded.took_10, took_20 = took_20 + excluded.took_20, took_30 = took_30 + excluded.took_30,
    took_60 = took_60 + excluded.took_60, took_120 = took_120 + excluded.took_120, took_300 = took_300 + excluded.took_300,
    took_600 = took_600 + excluded.took_600, took_1800 = took_1800 + excluded.took_1800,
    took_longer = took_longer + excluded.took_longer, took_sum = took_sum + excluded.took_sum;
END;
