-- Every session and, for those that wait for a lock, whom they wait for: the one statement of a poll.
-- Serves 13 and later. Where the role may not see a wait, its blockers are asked for all the same.
-- Statements travel as bytes: they stand in the encoding of their own database.
select count(*) over ()::int8,
       (extract(epoch from c.now) * 1e6)::int8,
       pg_is_in_recovery(),
       a.pid,
       (extract(epoch from a.backend_start) * 1e6)::int8,
       a.leader_pid,
       a.backend_type,
       a.datname,
       a.usename,
       a.application_name,
       host(a.client_addr),
       a.state,
       a.wait_event_type,
       a.wait_event,
       (extract(epoch from a.xact_start) * 1e6)::int8,
       (extract(epoch from a.query_start) * 1e6)::int8,
       (extract(epoch from a.state_change) * 1e6)::int8,
       a.backend_xid is not null,
       substr(textsend(a.query), 1, 800),
       case when a.wait_event_type = 'Lock' or a.query = '<insufficient privilege>'
            then pg_blocking_pids(a.pid) end
from (select clock_timestamp() as now) c
left join pg_stat_activity a on a.pid <> pg_backend_pid()
order by case when a.wait_event_type = 'Lock' then 0
              when a.backend_xid is not null or a.state like 'idle in%' then 1
              when a.state = 'active' then 2
              else 3 end
limit 5000
