-- One session ($1: pid, $2: its begin in microseconds): the whole statement as bytes, and what it wrote.
/* warroom */
select (extract(epoch from clock_timestamp()) * 1e6)::int8,
       a.datname::text,
       a.datname = current_database(),
       a.backend_xid::text,
       textsend(a.query),
       length(textsend(a.query)) >= (select s.setting::int8 - 4 from pg_settings s
                                     where s.name = 'track_activity_query_size')
from pg_stat_activity a
where a.pid = $1 and (extract(epoch from a.backend_start) * 1e6)::int8 = $2
