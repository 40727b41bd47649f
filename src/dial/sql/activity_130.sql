-- Every session and, for those that wait for a lock, whom they wait for: the one statement of a poll.
-- Serves 13 and later. Where the role may not see a wait, its blockers are asked for all the same.
-- Statements travel as bytes: they stand in the encoding of their own database.
-- Who waits for a row waits behind everybody who came before, and the server's price of saying so grows with
-- the third power of the queue. So where many wait for rows, three of those who came late are asked for first:
-- whom they name that waits for a row too stands in the same queue, and waits for its head as they do.
with s as materialized (
    select * from pg_stat_activity where pid <> pg_backend_pid()
), crowd as materialized (
    select pid, row_number() over (order by query_start) as place, count(*) over () as size
    from s where wait_event_type = 'Lock' and wait_event = 'tuple'
), asked as materialized (
    select pg_blocking_pids(pid) as before from crowd
    where size > 64 and place in (size, size * 17 / 20, size * 3 / 5)
), queue as materialized (
    select before, array(select pid from unnest(before) pid except select pid from crowd) as heads from asked
), known as materialized (
    select distinct on (one.pid) one.pid, heads
    from queue cross join unnest(before) as one(pid) join crowd on crowd.pid = one.pid
)
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
       case when cardinality(k.heads) > 0 then k.heads
            when a.wait_event_type = 'Lock' or a.query = '<insufficient privilege>'
            then pg_blocking_pids(a.pid) end
from (select clock_timestamp() as now) c
left join s a on true
left join known k on k.pid = a.pid
order by case when a.wait_event_type = 'Lock' then 0
              when a.backend_xid is not null or a.state like 'idle in%' then 1
              when a.state = 'active' then 2
              else 3 end
limit 5000
