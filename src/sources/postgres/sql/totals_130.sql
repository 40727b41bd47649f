-- Counters over all databases since the last reset. Serves 13 and later.
select sum(xact_commit)::int8, sum(xact_rollback)::int8, sum(deadlocks)::int8,
       sum(temp_bytes)::int8, sum(blks_hit)::int8, sum(blks_read)::int8
from pg_stat_database
