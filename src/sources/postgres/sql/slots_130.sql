-- Replication slots and the log each one keeps from being removed. Serves 13 and later.
/* warroom */
select s.slot_name, s.slot_type, s.active,
       pg_wal_lsn_diff(here.lsn, s.restart_lsn)::float8,
       s.wal_status
from pg_replication_slots s,
     (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                  else pg_current_wal_lsn() end as lsn) here
order by 4 desc nulls first
limit 100
