-- $1 a queue. Names are found by the search path, which the transaction sets.
/* warroom */
select (select extract(epoch from paused_at)::text from river_queue where name = $1 and paused_at is not null),
       (select extract(epoch from now() - paused_at)::float8 from river_queue where name = $1),
       (select count(*) from (select from river_job
          where state = 'available' and queue = $1 and scheduled_at <= now() limit 100000) waiting),
       (select count(*) from (select from river_job where state = 'running' and queue = $1 limit 100000) taken),
       null::int8,
       exists (select from river_queue where name = $1),
       has_column_privilege('river_queue', 'paused_at', 'update')
         and has_column_privilege('river_queue', 'updated_at', 'update'),
       format('GRANT UPDATE (paused_at, updated_at) ON %s TO %I', 'river_queue'::regclass, current_user),
       extract(epoch from pg_postmaster_start_time())::text,
       (extract(epoch from clock_timestamp()) * 1e6)::int8
