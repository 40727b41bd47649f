-- Every session and, for those that wait for a lock, whom they wait for: the one statement of a poll.
-- Serves 13 and later. Where the role may not see a wait, its blockers are asked for all the same.
-- Statements travel as bytes: they stand in the encoding of their own database.
-- Who waits for a row or an advisory lock waits behind everybody who came before, and the server's price of
-- saying so grows with the third power of the queue. So where many wait, three of those who came late are
-- asked for first: whom they name that waits for the same sort of thing stands in the same queue, and waits
-- for its head as they do. Of rows that is certain: who waits for one holds none that others wait for. Who
-- waits for an advisory lock may hold another: so of those named the first few are asked too, and who is not
-- among whom they name stands in the queue behind them.
/* warroom */
with s as materialized (
    select * from pg_stat_activity where pid <> pg_backend_pid()
), crowd as materialized (
    select pid, wait_event as sort, row_number() over (partition by wait_event order by query_start) as place,
           count(*) over (partition by wait_event) as size
    from s where wait_event_type = 'Lock' and wait_event in ('tuple', 'advisory')
), asked as materialized (
    select sort, pg_blocking_pids(pid) as before from crowd
    where size > 64 and place in (size, size * 17 / 20, size * 3 / 5)
), queue as materialized (
    select sort, before, array(
        select pid from unnest(before) pid except select pid from crowd where crowd.sort = asked.sort
    ) as holders
    from asked
), headed as materialized (
    select sort, before, holders as heads from queue where sort = 'tuple'
    union all
    select sort, before, one.heads
    from queue cross join lateral (
        select array_agg(distinct head) as heads from (
            select pid, named from (
                select early.pid, pg_blocking_pids(early.pid) as named from (
                    select crowd.pid from crowd
                    where crowd.sort = queue.sort and crowd.pid = any (before) order by place limit 8
                ) early
            ) told
            where holders <@ named and named <@ before order by cardinality(named) limit 4
        ) first cross join unnest(named || pid) as head
    ) one
    where sort = 'advisory' and holders <> '{}'
), named as materialized (
    select sort, heads, unnest(before) as pid from headed
), known as materialized (
    select distinct on (named.pid) named.pid, heads
    from named join crowd on crowd.pid = named.pid and crowd.sort = named.sort
    where named.pid <> all (heads)
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
