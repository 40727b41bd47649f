-- What a standby's replay cancelled, by database and reason, since the counters began. Serves 13 and later;
-- the last reason is counted from 16.
/* warroom */
select c.datname,
       c.confl_snapshot, c.confl_lock, c.confl_bufferpin, c.confl_deadlock, c.confl_tablespace,
       coalesce((to_jsonb(c) ->> 'confl_active_logicalslot')::int8, 0)
from pg_stat_database_conflicts c
