-- What these sessions ($1: pids) hold, the strongest first; names without touching the relations. Serves 13 and later.
/* warroom */
select case when l.relation is null then l.locktype
            when l.database in (0, (select oid from pg_database where datname = current_database()))
                then l.relation::regclass::text
            else 'relation ' || l.relation::text || ' of another database' end,
       replace(l.mode, 'Lock', ''),
       count(*) over ()::int8
from (select distinct locktype, database, relation, mode
      from pg_locks
      where pid = any($1) and granted and locktype not in ('virtualxid', 'transactionid')) l
order by array_position(array['AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock',
                              'ShareUpdateExclusiveLock', 'RowExclusiveLock', 'RowShareLock', 'AccessShareLock'],
                        l.mode), 1
limit 5
