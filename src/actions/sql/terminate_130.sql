-- Ends these sessions ($1: pids, $2: their starts in microseconds), each only if it still is that very
-- session: no row for one that is not. Serves 13 and later.
/* warroom */
select a.pid, pg_terminate_backend(a.pid)
from unnest($1::int4[], $2::int8[]) x(pid, started)
cross join lateral pg_stat_get_activity(x.pid) a
where (extract(epoch from a.backend_start) * 1e6)::int8 = x.started
  and a.backend_type = 'client backend'
