-- Graphile Worker 0.14 and newer: its view, a row a task. A job that is done is no longer there.
with work as materialized (
  select task_identifier, queue_name, run_at, attempts, max_attempts, locked_at, locked_by,
    locked_at > now() - interval '4 hours' as held
  from jobs
  order by id
  limit 100001
)
select
  task_identifier as queue,
  count(*) filter (where locked_at is null and attempts < max_attempts and run_at <= now()) as depth,
  extract(epoch from clock_timestamp()
    - min(run_at) filter (where locked_at is null and attempts < max_attempts and run_at <= now())) as oldest,
  count(*) filter (where held) as in_flight,
  -- The library takes a job from its worker after four hours.
  count(*) filter (where not held) as orphaned,
  count(*) filter (where locked_at is null and attempts < max_attempts and run_at > now()) as scheduled,
  count(*) filter (where locked_at is null and attempts > 0 and attempts < max_attempts) as retry,
  count(*) filter (where locked_at is null and attempts >= max_attempts) as dead,
  case when bool_or(held) then task_identifier end as longest_job,
  (array_agg(locked_by order by locked_at) filter (where held))[1] as longest_worker,
  extract(epoch from clock_timestamp() - min(locked_at) filter (where held)) as longest_running,
  case when max(attempts) filter (where attempts < max_attempts) > 1 then task_identifier end as returning_job,
  max(attempts) filter (where attempts < max_attempts) as returning_tries,
  (select count(*) > 100000 from work) as capped,
  null::bigint as processed
from work
group by task_identifier
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null, null,
  -- A job that is done is deleted; the statistics count that for everybody to see.
  (select n_tup_del from pg_stat_all_tables where schemaname = current_schema() and relname = '_private_jobs')
