-- Who holds what the replay of a standby ($1: its pid) waits for: the server names nobody it waits for.
/* warroom */
select distinct h.pid
from pg_locks w
join pg_locks h on h.granted and h.pid is not null and h.pid <> w.pid
               and h.locktype = w.locktype and h.database is not distinct from w.database
               and h.relation is not distinct from w.relation
where w.pid = $1 and not w.granted and w.locktype = 'relation'
