-- $1 a queue. Clients that listen are told by the notice, the others look at the row.
/* warroom */
with changed as (
  update river_queue set paused_at = now(), updated_at = now()
  where name = $1 and paused_at is null
  returning name
)
select pg_notify(current_schema() || '.river_control', json_build_object('action', 'pause', 'queue', name)::text)
from changed
