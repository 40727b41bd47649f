-- Stops one statement ($1: pid, $2: start of its session, $3: start of the statement, in microseconds),
-- only if it is still that very statement: behind a pooler the next one is somebody else's. Serves 13 and later.
/* warroom */
select a.pid, pg_cancel_backend(a.pid)
from pg_stat_get_activity($1::int4) a
where (extract(epoch from a.backend_start) * 1e6)::int8 = $2::int8
  and (extract(epoch from a.query_start) * 1e6)::int8 = $3::int8
  and a.state = 'active'
  and a.backend_type = 'client backend'
