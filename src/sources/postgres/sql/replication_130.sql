-- Standbys fed by this server, and how far a standby is behind itself. Serves 13 and later; one row at least.
-- An idle standby is not behind: its delay counts only while something received is not yet replayed.
/* warroom */
select case when not pg_is_in_recovery() or pg_last_wal_receive_lsn() is null then null
            when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0
            else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::float8,
       r.pid is not null,
       r.application_name,
       r.state,
       pg_wal_lsn_diff(here.lsn, r.replay_lsn)::float8,
       extract(epoch from r.replay_lag)::float8,
       pg_wal_lsn_diff(here.lsn, r.sent_lsn)::float8,
       r.sync_state,
       extract(epoch from clock_timestamp() - r.reply_time)::float8
from (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn()
                  else pg_current_wal_lsn() end as lsn) here
left join pg_stat_replication r on true
order by 5 desc nulls first
limit 100
