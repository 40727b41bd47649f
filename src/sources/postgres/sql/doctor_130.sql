-- Who we are there, and what we may. Serves 13 and later.
/* warroom */
select current_setting('server_version'),
       pg_is_in_recovery(),
       (select rolsuper from pg_roles where rolname = current_user),
       pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
       pg_has_role(current_user, 'pg_signal_backend', 'usage'),
       case when to_regrole('pg_use_reserved_connections') is not null
            then pg_has_role(current_user, to_regrole('pg_use_reserved_connections'), 'usage') end,
       format('%I', current_user),
       current_setting('track_activities')::bool,
       exists (select from pg_extension where extname = 'pg_stat_statements'),
       current_setting('pg_stat_statements.max', true) is not null,
       (select case when not has_schema_privilege(n.oid, 'usage')
                    then format('grant usage on schema %I to %I', n.nspname, current_user) end
        from pg_extension e join pg_namespace n on n.oid = e.extnamespace
        where e.extname = 'pg_stat_statements'),
       t.all_tables,
       t.readable,
       to_regrole('pg_read_all_data') is not null,
       (select string_agg(distinct format('grant usage on schema %1$I to %2$I; grant select on all tables in schema %1$I to %2$I',
                                          s.closed, current_user), '; ')
        from unnest(t.schemas) as s (closed)),
       format('%I', current_database()),
       (select coalesce((select string_agg(quote_literal(trim(one)), ', ')
                         from unnest(string_to_array(s.setting, ',')) as l (one) where trim(one) <> ''), '')
        from pg_settings s where s.name = 'shared_preload_libraries')
from (select count(*) as all_tables,
             count(*) filter (where r.may) as readable,
             (array_agg(distinct r.nspname) filter (where not r.may))[1:3] as schemas
      from (select n.nspname, has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select') as may
            from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
              and n.nspname not like 'pg\_%' and n.nspname <> 'information_schema'
              -- What belongs to an extension is no application's.
              and not exists (select from pg_depend d
                              where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
            limit 20000) r) t
