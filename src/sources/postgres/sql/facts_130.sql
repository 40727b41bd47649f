-- What rarely changes: limits, start, whether the role may see other roles' sessions, and where the
-- statement statistics are installed. Serves 13 and later.
/* warroom */
select current_setting('max_connections')::int4,
       current_setting('superuser_reserved_connections')::int4
           + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int4,
       (extract(epoch from pg_postmaster_start_time()) * 1e6)::int8,
       pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
       format('grant pg_monitor to %I', current_user),
       (select n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_stat_statements'),
       current_setting('autovacuum_max_workers')::int4,
       (select case when not has_schema_privilege(n.oid, 'usage')
                    then format('grant usage on schema %I to %I', n.nspname, current_user) end
        from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_stat_statements')
