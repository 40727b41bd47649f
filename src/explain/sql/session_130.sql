-- What one session runs or ran last, as bytes: it stands in the encoding of its own database.
/* warroom */
select (extract(epoch from a.backend_start) * 1e6)::int8,
       (extract(epoch from a.query_start) * 1e6)::int8,
       a.datname::text,
       a.usename::text,
       a.application_name,
       a.state,
       a.backend_type,
       extract(epoch from clock_timestamp() - case when a.state = 'active' then a.query_start
                                                   else a.state_change end)::float8,
       length(textsend(a.query)) >= (select s.setting::int8 - 4 from pg_settings s
                                     where s.name = 'track_activity_query_size'),
       textsend(a.query)
from pg_stat_activity a
where a.pid = $1
