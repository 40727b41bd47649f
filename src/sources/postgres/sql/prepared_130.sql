-- Which prepared transaction each of these sessions waits for ($1: pids whose blockers include pid 0).
-- Serves 13 and later. A prepared transaction's locks have no pid; its virtual transaction leads to
-- its transaction id, and that to its name, before and after a restart of the server.
/* warroom */
with l as materialized (select * from pg_locks)
select distinct w.pid, p.gid, p.owner, p.database,
       extract(epoch from clock_timestamp() - p.prepared)::float8
from l w
join l h on h.granted and h.pid is null and h.locktype = w.locktype
    and (h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
        is not distinct from
        (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
join l x on x.granted and x.pid is null and x.locktype = 'transactionid'
    and x.virtualtransaction = h.virtualtransaction
join pg_prepared_xacts p on p.transaction = x.transactionid
where not w.granted and w.pid = any($1)
limit 1000
