-- Who waits for which lock since when, and what the blockers ($1: pids; $2: everybody) hold of it.
-- Serves 13 and later.
-- Two lists in one reading of the lock table: waiters (held = false), then blockers. A wait for a row
-- names no table by itself; the waiter's own lock on that row does. Names are looked up in the catalog,
-- no user's table is touched; a wait's begin is told from 14 on.
/* warroom */
with l as materialized (
    select k.pid, k.locktype, k.database, k.relation, k.classid, k.objid, k.objsubid, k.mode, k.granted,
           case when not k.granted
                then (extract(epoch from (to_jsonb(k) ->> 'waitstart')::timestamptz) * 1e6)::int8 end as since
    from pg_locks k
    where k.pid is not null
      and (not k.granted or k.locktype = 'tuple'
           or (($2 or k.pid = any($1)) and k.locktype in ('relation', 'advisory')))
), w as (
    select l.pid, l.locktype, l.mode, l.since, l.classid, l.objid, l.objsubid,
           coalesce(l.relation, t.relation) as relation,
           case when l.relation is null and t.relation is not null then t.database else l.database end as database
    from l
    left join (select pid, min(relation) as relation, min(database) as database
               from l where granted and locktype = 'tuple'
               group by pid having count(distinct relation) = 1) t
           on t.pid = l.pid and l.locktype = 'transactionid'
    where not l.granted
    limit 5000
), said as (
    select w.pid, w.locktype, w.mode, w.since, false as held, w.database, w.relation, w.classid, w.objid, w.objsubid
    from w
    union all
    select distinct b.pid, b.locktype, b.mode, null::int8, true, b.database, b.relation, b.classid, b.objid, b.objsubid
    from l b
    join (select distinct locktype, database, relation, classid, objid, objsubid from w) w
      on b.database = w.database
     and case when b.locktype = 'relation' then b.relation = w.relation
              else w.locktype = 'advisory'
                   and (b.classid, b.objid, b.objsubid) is not distinct from (w.classid, w.objid, w.objsubid) end
    where b.granted and ($2 or b.pid = any($1)) and b.locktype in ('relation', 'advisory')
)
select said.pid, said.held, said.locktype, replace(said.mode, 'Lock', ''), said.since,
       case when said.relation is not null
                 and said.database in (0, (select oid from pg_database where datname = current_database()))
                then said.relation::regclass::text
            when said.relation is not null
                then 'relation ' || said.relation::text || coalesce(' of ' || d.datname, '')
            when said.locktype = 'advisory' and said.objsubid = 1
                then ((said.classid::int8 << 32) | said.objid::int8)::text
            when said.locktype = 'advisory' then said.classid::text || ', ' || said.objid::text
       end
from said
left join pg_database d on d.oid = said.database
order by said.held, array_position(array['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock',
    'ShareLock', 'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock', 'AccessShareLock'], said.mode)
limit 6000
