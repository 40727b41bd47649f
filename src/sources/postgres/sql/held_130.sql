-- The locks of one session ($1: pid) and of its parallel workers: wanted first, then the strongest.
-- Names come from the catalog and take no lock on what they name; a relation of another database has a
-- number only. Locks on indexes and on the transaction's own number are counted, not told.
/* warroom */
with k as (
    select l.granted, l.locktype, l.mode, l.relation, l.database, l.classid, l.objid, l.objsubid,
           coalesce(c.relkind in ('i', 'I', 't') and l.granted, false)
               or (l.granted and l.locktype in ('virtualxid', 'transactionid')) as minor,
           l.relation is not null
               and l.database in (0, (select oid from pg_database where datname = current_database())) as named
    from pg_locks l
    left join pg_class c on c.oid = l.relation
                        and l.database in (0, (select oid from pg_database where datname = current_database()))
    where l.pid = $1 or l.pid in (select a.pid from pg_stat_activity a where a.leader_pid = $1)
), said as (
    select granted, locktype, mode,
           case when named then relation::regclass::text
                when relation is not null then 'relation ' || relation::text
                when locktype = 'advisory' and objsubid = 1 then ((classid::int8 << 32) | objid::int8)::text
                when locktype = 'advisory' then classid::text || ', ' || objid::text
           end as what,
           count(*) as many
    from k where not minor
    group by 1, 2, 3, 4
)
select granted, locktype, replace(mode, 'Lock', ''), what, many,
       ((select count(*) from k where minor) + sum(many) over ())::int8
from said
order by granted, array_position(array['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock',
    'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock', 'AccessShareLock'], mode),
    many desc, what
limit 100
