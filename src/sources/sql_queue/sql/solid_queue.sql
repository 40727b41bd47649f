-- Solid Queue 1: Rails keeps its times in UTC and without a zone.
with clock as (
  select clock_timestamp() at time zone 'utc' as now
), alive as (
  select id, kind, hostname || ':' || pid as worker
  from solid_queue_processes, clock
  where last_heartbeat_at > clock.now - interval '5 minutes'
), ready as (
  select queue_name, count(*) as depth, min(created_at) as since
  from (select queue_name, created_at from solid_queue_ready_executions order by id limit 100001) few
  group by 1
), claimed as (
  select job.queue_name,
    count(*) as in_flight,
    count(*) filter (where alive.id is null) as orphaned,
    (array_agg(job.class_name order by few.created_at))[1] as longest_job,
    (array_agg(alive.worker order by few.created_at))[1] as longest_worker,
    min(few.created_at) as begun
  from (select * from solid_queue_claimed_executions order by id limit 20000) few
  join solid_queue_jobs job on job.id = few.job_id
  left join alive on alive.id = few.process_id
  group by 1
), later as (
  select queue_name,
    count(*) as scheduled,
    count(*) filter (where scheduled_at < clock.now) as overdue,
    min(scheduled_at) filter (where scheduled_at < clock.now) as due
  from (
    select queue_name, scheduled_at from solid_queue_scheduled_executions order by scheduled_at limit 100000
  ) few, clock
  group by 1
), failed as (
  select job.queue_name, count(*) as dead
  from (select job_id from solid_queue_failed_executions order by id desc limit 20001) few
  join solid_queue_jobs job on job.id = few.job_id
  group by 1
), name as (
  select queue_name from ready
  union select queue_name from claimed
  union select queue_name from later
  union select queue_name from failed
  union select queue_name from solid_queue_pauses
)
select
  queue_name as queue,
  coalesce(depth, 0) as depth,
  extract(epoch from clock.now - since) as oldest,
  coalesce(in_flight, 0) as in_flight,
  coalesce(orphaned, 0) as orphaned,
  coalesce(scheduled, 0) as scheduled,
  coalesce(overdue, 0) as overdue,
  extract(epoch from clock.now - due) as overdue_for,
  -- So many are not counted to the end: better no number than one that stands still.
  case when (select sum(dead) from failed) > 20000 then null else coalesce(dead, 0) end as dead,
  exists (select from solid_queue_pauses pause where pause.queue_name = name.queue_name) as paused,
  longest_job,
  longest_worker,
  extract(epoch from clock.now - begun) as longest_running,
  (select sum(depth) > 100000 from ready) as capped,
  null::bigint as workers,
  null::bigint as stale_workers,
  null::bigint as processed
from name
cross join clock
left join ready using (queue_name)
left join claimed using (queue_name)
left join later using (queue_name)
left join failed using (queue_name)
union all
select null, null, null, null, null, null, null, null, null, null, null, null, null, null,
  (select count(*) from alive where kind = 'Worker'),
  (select count(*) from solid_queue_processes where kind = 'Worker')
    - (select count(*) from alive where kind = 'Worker'),
  -- What is done is no longer claimed; the statistics count that for everybody to see.
  (select n_tup_del from pg_stat_all_tables
    where schemaname = current_schema() and relname = 'solid_queue_claimed_executions')
