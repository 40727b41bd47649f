-- GoodJob 4: jobs that are not finished, the earliest first. Times are in UTC and without a zone.
with clock as (
  select clock_timestamp() at time zone 'utc' as now
), alive as (
  select process.id from good_job_processes process, clock
  where process.updated_at > clock.now - interval '5 minutes'
), work as materialized (
  select coalesce(queue_name, 'default') as queue, job_class, coalesce(scheduled_at, created_at) as due,
    performed_at, coalesce(executions_count, 0) as executions, locked_by_id
  from good_jobs
  where finished_at is null
  order by scheduled_at
  limit 100001
), pauses as (
  select jsonb_array_elements_text(value -> 'queues') as queue from good_job_settings
  where key = 'pauses' and jsonb_typeof(value -> 'queues') = 'array'
)
select
  queue,
  count(*) filter (where performed_at is null and due <= clock.now) as depth,
  extract(epoch from max(clock.now) - min(due) filter (where performed_at is null and due <= clock.now)) as oldest,
  count(performed_at) as in_flight,
  count(*) filter (
    where performed_at is not null and not exists (select from alive where alive.id = locked_by_id)
  ) as orphaned,
  count(*) filter (where performed_at is null and due > clock.now) as scheduled,
  count(*) filter (where performed_at is null and executions > 0) as retry,
  exists (select from pauses where pauses.queue = work.queue) as paused,
  (array_agg(job_class order by performed_at) filter (where performed_at is not null))[1] as longest_job,
  extract(epoch from max(clock.now) - min(performed_at)) as longest_running,
  (array_agg(job_class order by executions desc) filter (where executions > 1))[1] as returning_job,
  max(executions) as returning_tries,
  (select count(*) > 100000 from work) as capped,
  null::bigint as workers,
  null::bigint as stale_workers
from work cross join clock
group by queue
-- Queues that were held back and have no job.
union all (
  select queue, 0, null, 0, 0, 0, 0, true, null, null, null, null, null, null::bigint, null::bigint
  from (select distinct queue from pauses) held where not exists (select from work where work.queue = held.queue)
  order by queue limit 1000
)
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null,
  (select count(*) from alive),
  (select count(*) from good_job_processes) - (select count(*) from alive)
