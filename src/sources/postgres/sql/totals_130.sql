-- Counters over all databases since the last reset, log written and checkpoints. Serves 13.
/* warroom */
select sum(d.xact_commit)::int8, sum(d.xact_rollback)::int8, sum(d.deadlocks)::int8,
       sum(d.temp_bytes)::int8, sum(d.blks_hit)::int8, sum(d.blks_read)::int8,
       sum(d.temp_files)::int8, sum(d.conflicts)::int8,
       null::int8, null::int8,
       max(case when pg_is_in_recovery() then null
                else pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') end)::int8,
       max(b.checkpoints_timed)::int8, max(b.checkpoints_req)::int8
from pg_stat_database d, pg_stat_bgwriter b
