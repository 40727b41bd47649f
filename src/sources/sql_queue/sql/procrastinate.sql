-- Procrastinate 3: jobs that are not done, oldest ids first, through the index on (id, lock).
with work as materialized (
  select id, queue_name, task_name, status::text as status, scheduled_at, attempts, worker_id
  from procrastinate_jobs
  where status in ('todo', 'doing')
  order by id
  limit 100001
), alive as (
  select id from procrastinate_workers where last_heartbeat > now() - interval '30 seconds'
), head as (
  -- A job carries no time of its own unless it was put off: its events do.
  select distinct on (queue_name, scheduled_at is null) queue_name, id, scheduled_at
  from work
  where status = 'todo' and (scheduled_at is null or scheduled_at <= now())
  order by queue_name, scheduled_at is null, scheduled_at, id
), since as (
  select head.queue_name, min(greatest(head.scheduled_at, put.at)) as at
  from head
  cross join lateral (
    select max(at) as at from procrastinate_events
    where job_id = head.id and type::text in ('deferred', 'deferred_for_retry', 'retried')
  ) put
  group by 1
), begun as (
  select distinct on (work.queue_name) work.queue_name, work.task_name, work.worker_id, start.at
  from (select * from work where status = 'doing' order by id limit 200) work
  cross join lateral (
    select max(at) as at from procrastinate_events where job_id = work.id and type::text = 'started'
  ) start
  order by work.queue_name, start.at
)
select
  work.queue_name as queue,
  count(*) filter (where status = 'todo' and (scheduled_at is null or scheduled_at <= now())) as depth,
  extract(epoch from clock_timestamp() - min(since.at)) as oldest,
  count(*) filter (where status = 'doing') as in_flight,
  count(*) filter (where status = 'doing' and (work.worker_id is null or not exists (
    select from alive where alive.id = work.worker_id
  ))) as orphaned,
  count(*) filter (where status = 'todo' and scheduled_at > now()) as scheduled,
  count(*) filter (where status = 'todo' and attempts > 0) as retry,
  min(begun.task_name) as longest_job,
  'worker ' || min(begun.worker_id) as longest_worker,
  extract(epoch from clock_timestamp() - min(begun.at)) as longest_running,
  (array_agg(work.task_name order by attempts desc) filter (where attempts > 1))[1] as returning_job,
  max(attempts) as returning_tries,
  (select count(*) > 100000 from work) as capped,
  null::bigint as workers,
  null::bigint as stale_workers
from work
left join since using (queue_name)
left join begun using (queue_name)
group by work.queue_name
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null,
  (select count(*) from alive),
  (select count(*) from procrastinate_workers) - (select count(*) from alive)
