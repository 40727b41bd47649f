-- $1 a queue. The pauses of all queues stand in one row: its time of change tells one state of it from another.
/* warroom */
with clock as (select now() at time zone 'utc' as now),
     pauses as (select value, updated_at from good_job_settings where key = 'pauses')
select (select extract(epoch from updated_at)::text from pauses where value -> 'queues' ? $1),
       null::float8,
       (select count(*) from (select from good_jobs, clock
          where finished_at is null and performed_at is null and coalesce(queue_name, 'default') = $1
            and coalesce(scheduled_at, created_at) <= clock.now limit 100000) waiting),
       (select count(*) from (select from good_jobs
          where finished_at is null and performed_at is not null and coalesce(queue_name, 'default') = $1
          limit 100000) taken),
       (select count(*) from good_job_processes, clock where updated_at > clock.now - interval '5 minutes'),
       exists (select from good_jobs where coalesce(queue_name, 'default') = $1),
       has_table_privilege('good_job_settings', 'insert') and has_table_privilege('good_job_settings', 'update'),
       format('GRANT INSERT, UPDATE ON %s TO %I', 'good_job_settings'::regclass, current_user),
       extract(epoch from pg_postmaster_start_time())::text,
       (extract(epoch from clock_timestamp()) * 1e6)::int8
