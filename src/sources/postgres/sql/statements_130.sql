-- What every kind of statement has cost so far, without its text. Serves 13 and later.
/* warroom */
select (extract(epoch from clock_timestamp()) * 1e6)::int8,
       userid::int8, dbid::int8, queryid, calls, total_exec_time, rows, shared_blks_read, temp_blks_written
from {schema}.pg_stat_statements(false)
where queryid is not null
order by total_exec_time desc
limit 20000
