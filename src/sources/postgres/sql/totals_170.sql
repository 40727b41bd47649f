-- Counters over all databases since the last reset, log written and checkpoints. Serves 17 and later.
/* warroom */
select sum(d.xact_commit)::int8, sum(d.xact_rollback)::int8, sum(d.deadlocks)::int8,
       sum(d.temp_bytes)::int8, sum(d.blks_hit)::int8, sum(d.blks_read)::int8,
       sum(d.temp_files)::int8, sum(d.conflicts)::int8,
       sum(d.sessions)::int8, sum(d.sessions_abandoned + d.sessions_fatal + d.sessions_killed)::int8,
       max(w.wal_bytes)::int8,
       max(c.num_timed)::int8, max(c.num_requested)::int8
from pg_stat_database d, pg_stat_checkpointer c, pg_stat_wal w
