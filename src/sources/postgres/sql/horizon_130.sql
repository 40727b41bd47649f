-- How near the transaction ids are to running out, and who keeps old row versions from being removed,
-- oldest first. Serves 13 and later. What vacuum itself does holds nobody up.
/* warroom */
(select 'database', datname::text, null::int4, age(datfrozenxid)::int8, mxid_age(datminmxid)::int8, null::float8, datname::text
 from pg_database
 where datallowconn
 order by greatest(age(datfrozenxid), mxid_age(datminmxid)) desc
 limit 1)
union all
(select h.*
 from (select case when a.backend_type = 'walsender' then 'standby' else 'session' end,
              coalesce(nullif(a.application_name, ''), a.usename, a.backend_type)::text,
              a.pid,
              greatest(age(a.backend_xmin), age(a.backend_xid))::int8,
              null::int8,
              extract(epoch from clock_timestamp() - a.xact_start)::float8,
              a.datname::text
       from pg_stat_activity a
       where (a.backend_xmin is not null or a.backend_xid is not null)
         and a.pid <> pg_backend_pid()
         and a.backend_type <> 'autovacuum worker'
         and a.query !~* '^\s*vacuum'
       union all
       select 'prepared', gid::text, null, age(transaction)::int8, null,
              extract(epoch from clock_timestamp() - prepared)::float8,
              database::text
       from pg_prepared_xacts
       union all
       select 'slot', slot_name::text, null, greatest(age(xmin), age(catalog_xmin))::int8, null, null, database::text
       from pg_replication_slots
       where xmin is not null or catalog_xmin is not null) h
 order by 4 desc
 limit 10)
