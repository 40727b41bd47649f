-- Which of these sessions ($1: pids, $2: their starts in microseconds) are still there, and what they do.
-- Serves 13 and later.
/* warroom */
select a.pid, a.state, (extract(epoch from a.query_start) * 1e6)::int8, a.wait_event_type, a.wait_event
from unnest($1::int4[], $2::int8[]) x(pid, started)
cross join lateral pg_stat_get_activity(x.pid) a
where (extract(epoch from a.backend_start) * 1e6)::int8 = x.started
