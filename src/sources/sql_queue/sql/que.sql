-- Que 1 and 2: a job that is taken is one whose id is held as an advisory lock.
with work as materialized (
  select queue, id, job_class, run_at, error_count from que_jobs
  where finished_at is null and expired_at is null
  limit 100001
), taken as (
  select (classid::bigint << 32) + objid::bigint as id, pid from pg_locks
  where locktype = 'advisory' and objsubid = 1 and granted
    and database = (select oid from pg_database where datname = current_database())
), locker as (
  select locker.pid, locker.worker_count, locker.queues, locker.ruby_hostname || ':' || locker.ruby_pid as worker,
    exists (select from pg_stat_activity session where session.pid = locker.pid) as lives
  from que_lockers locker
)
select
  work.queue,
  count(*) filter (where taken.id is null and run_at <= now()) as depth,
  extract(epoch from clock_timestamp() - min(run_at) filter (where taken.id is null and run_at <= now())) as oldest,
  count(taken.id) as in_flight,
  count(*) filter (where taken.id is null and run_at > now()) as scheduled,
  count(*) filter (where error_count > 0) as retry,
  (select coalesce(sum(worker_count), 0) from locker where lives and work.queue = any (queues)) as workers,
  (select coalesce(sum(worker_count), 0) from locker where not lives and work.queue = any (queues)) as stale_workers,
  (array_agg(job_class order by error_count desc) filter (where error_count > 1))[1] as returning_job,
  max(error_count) as returning_tries,
  (select count(*) > 100000 from work) as capped
from work
left join taken using (id)
group by work.queue
