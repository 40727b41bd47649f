-- Oban: a limit for each state, so that many of one do not hide another. Times are in UTC and without a zone.
with clock as (
  select clock_timestamp() at time zone 'utc' as now
), work as materialized (
  (select queue, state::text, worker, scheduled_at, attempted_at, attempt, attempted_by
    from oban_jobs where state = 'available' limit 100001)
  union all (select queue, state::text, worker, scheduled_at, attempted_at, attempt, attempted_by
    from oban_jobs where state = 'executing' limit 20000)
  union all (select queue, state::text, worker, scheduled_at, attempted_at, attempt, attempted_by
    from oban_jobs where state = 'scheduled' limit 100001)
  union all (select queue, state::text, worker, scheduled_at, attempted_at, attempt, attempted_by
    from oban_jobs where state = 'retryable' limit 100001)
  union all (select queue, state::text, worker, null, null, attempt, null
    from oban_jobs where state = 'discarded' limit 20001)
), most as (
  select max(n) filter (where state <> 'discarded') > 100000 as capped,
    max(n) filter (where state = 'discarded') > 20000 as many_dead
  from (select state, count(*) as n from work group by 1) by_state
)
select
  queue,
  count(*) filter (where state = 'available') as depth,
  extract(epoch from max(clock.now) - min(scheduled_at) filter (where state = 'available')) as oldest,
  count(*) filter (where state = 'executing') as in_flight,
  -- After an hour the library's own rescuer takes a job for lost.
  count(*) filter (where state = 'executing' and attempted_at < clock.now - interval '1 hour') as orphaned,
  count(*) filter (where state in ('scheduled', 'retryable')) as scheduled,
  count(*) filter (where state in ('scheduled', 'retryable') and scheduled_at < clock.now) as overdue,
  extract(epoch from max(clock.now)
    - min(scheduled_at) filter (where state in ('scheduled', 'retryable') and scheduled_at < clock.now)) as overdue_for,
  count(*) filter (where state = 'retryable') as retry,
  case when bool_or(many_dead) then null else count(*) filter (where state = 'discarded') end as dead,
  (array_agg(worker order by attempted_at) filter (where state = 'executing'))[1] as longest_job,
  (array_agg(attempted_by[1] order by attempted_at) filter (where state = 'executing'))[1] as longest_worker,
  extract(epoch from max(clock.now) - min(attempted_at) filter (where state = 'executing')) as longest_running,
  (array_agg(worker order by attempt desc) filter (where state <> 'discarded' and attempt > 1))[1] as returning_job,
  max(attempt) filter (where state <> 'discarded') as returning_tries,
  bool_or(capped) as capped
from work cross join clock cross join most
group by queue
