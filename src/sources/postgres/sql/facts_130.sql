-- What rarely changes: limits, start, and whether the role may see other roles' sessions. Serves 13 and later.
select current_setting('max_connections')::int4,
       current_setting('superuser_reserved_connections')::int4
           + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int4,
       (extract(epoch from pg_postmaster_start_time()) * 1e6)::int8,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
       format('grant pg_monitor to %I', current_user)
