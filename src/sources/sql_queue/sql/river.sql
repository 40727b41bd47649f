-- River: a limit for each state, so that many of one do not hide another.
with work as materialized (
  (select queue, state::text, kind, scheduled_at, attempted_at, attempt, attempted_by
    from river_job where state = 'available' limit 100001)
  union all (select queue, state::text, kind, scheduled_at, attempted_at, attempt, attempted_by
    from river_job where state = 'running' limit 20000)
  union all (select queue, state::text, kind, scheduled_at, attempted_at, attempt, attempted_by
    from river_job where state = 'scheduled' limit 100001)
  union all (select queue, state::text, kind, scheduled_at, attempted_at, attempt, attempted_by
    from river_job where state = 'retryable' limit 100001)
  union all (select queue, state::text, kind, null, null, attempt, null
    from river_job where state = 'discarded' limit 20001)
), most as (
  select max(n) filter (where state <> 'discarded') > 100000 as capped,
    max(n) filter (where state = 'discarded') > 20000 as many_dead
  from (select state, count(*) as n from work group by 1) by_state
)
select
  work.queue,
  count(*) filter (where state = 'available') as depth,
  extract(epoch from clock_timestamp() - min(scheduled_at) filter (where state = 'available')) as oldest,
  count(*) filter (where state = 'running') as in_flight,
  -- After an hour the library's own rescuer takes a job for lost.
  count(*) filter (where state = 'running' and attempted_at < now() - interval '1 hour') as orphaned,
  count(*) filter (where state in ('scheduled', 'retryable')) as scheduled,
  count(*) filter (where state in ('scheduled', 'retryable') and scheduled_at < now()) as overdue,
  extract(epoch from clock_timestamp()
    - min(scheduled_at) filter (where state in ('scheduled', 'retryable') and scheduled_at < now())) as overdue_for,
  count(*) filter (where state = 'retryable') as retry,
  case when bool_or(many_dead) then null else count(*) filter (where state = 'discarded') end as dead,
  bool_or(river_queue.paused_at is not null) as paused,
  (array_agg(kind order by attempted_at) filter (where state = 'running'))[1] as longest_job,
  -- Every try adds who made it.
  (array_agg(attempted_by[cardinality(attempted_by)] order by attempted_at) filter (where state = 'running'))[1]
    as longest_worker,
  extract(epoch from clock_timestamp() - min(attempted_at) filter (where state = 'running')) as longest_running,
  (array_agg(kind order by attempt desc) filter (where state <> 'discarded' and attempt > 1))[1] as returning_job,
  max(attempt) filter (where state <> 'discarded') as returning_tries,
  bool_or(capped) as capped
from work
cross join most
left join river_queue on river_queue.name = work.queue
group by work.queue
-- Queues that clients work on, or that were held back, and without a job.
union all (
  select name, 0, null, 0, 0, 0, 0, null, 0, 0, paused_at is not null, null, null, null, null, null, false
  from river_queue where not exists (select from work where work.queue = river_queue.name)
  order by name limit 1000
)
