-- Who waits directly for this prepared transaction ($1: its transaction id). Serves 13 and later.
/* warroom */
with l as materialized (select * from pg_locks)
select distinct w.pid
from l x
join l h on h.granted and h.pid is null and h.virtualtransaction = x.virtualtransaction
join l w on not w.granted and w.locktype = h.locktype
    and (w.database, w.relation, w.page, w.tuple, w.virtualxid, w.transactionid, w.classid, w.objid, w.objsubid)
        is not distinct from
        (h.database, h.relation, h.page, h.tuple, h.virtualxid, h.transactionid, h.classid, h.objid, h.objsubid)
where x.granted and x.pid is null and x.locktype = 'transactionid' and x.transactionid = $1::text::xid
limit 1000
