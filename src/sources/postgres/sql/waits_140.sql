-- How long each waiting session has waited. Serves 14 and later; asked once a connection, when the
-- first look already finds waiters: from then on a wait's begin is known from poll to poll.
select pid, (extract(epoch from waitstart) * 1e6)::int8
from pg_locks
where not granted and waitstart is not null and pid is not null
limit 5000
