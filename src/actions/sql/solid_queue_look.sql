-- $1 a queue. Names are found by the search path, which the transaction sets.
/* warroom */
with utc as (select now() at time zone 'utc' as now)
select (select id::text from solid_queue_pauses where queue_name = $1),
       (select extract(epoch from utc.now - created_at)::float8 from solid_queue_pauses, utc where queue_name = $1),
       (select count(*) from (select from solid_queue_ready_executions where queue_name = $1 limit 100000) ready),
       (select count(*) from solid_queue_claimed_executions claimed
          join solid_queue_jobs job on job.id = claimed.job_id where job.queue_name = $1),
       (select count(*) from solid_queue_processes, utc
         where kind = 'Worker' and last_heartbeat_at > utc.now - interval '5 minutes'),
       exists (select from solid_queue_jobs where queue_name = $1),
       has_table_privilege('solid_queue_pauses', 'insert') and has_table_privilege('solid_queue_pauses', 'delete')
         and has_sequence_privilege(pg_get_serial_sequence('solid_queue_pauses', 'id'), 'usage'),
       format('GRANT INSERT, DELETE ON %s TO %I; GRANT USAGE ON SEQUENCE %s TO %I', 'solid_queue_pauses'::regclass,
              current_user, pg_get_serial_sequence('solid_queue_pauses', 'id'), current_user),
       extract(epoch from pg_postmaster_start_time())::text,
       (extract(epoch from clock_timestamp()) * 1e6)::int8
