-- A prepared transaction by its name ($1), who may end it, and what it holds. Serves 13 and later.
-- Its locks have no pid; its virtual transaction leads to its transaction id, before and after a restart.
/* warroom */
with l as materialized (select * from pg_locks where granted and pid is null),
p as (select * from pg_prepared_xacts where gid = $1)
select p.transaction::text, p.owner, p.database, (extract(epoch from p.prepared) * 1e6)::int8,
       m.rolsuper, p.owner = current_user,
       coalesce((select pg_has_role(current_user, r.oid, 'member') from pg_roles r where r.rolname = p.owner), false),
       array(select distinct case when h.relation is null then h.locktype
                                  when h.database in (0, (select oid from pg_database where datname = current_database()))
                                      then coalesce(h.relation::regclass::text, h.relation::text)
                                  else 'relation ' || h.relation::text || ' of ' || p.database end
                             || ' (' || replace(h.mode, 'Lock', '') || ')'
             from l x join l h on h.virtualtransaction = x.virtualtransaction
             where x.locktype = 'transactionid' and x.transactionid = p.transaction
               and h.locktype not in ('virtualxid', 'transactionid')
             order by 1 limit 6),
       (extract(epoch from clock_timestamp()) * 1e6)::int8,
       p.database = current_database()
from p cross join (select rolsuper from pg_roles where rolname = current_user) m
