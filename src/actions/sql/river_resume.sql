-- $1 a queue, $2 when it was paused. Clients that listen are told by the notice, the others look at the row.
/* warroom */
with changed as (
  update river_queue set paused_at = null, updated_at = now()
  where name = $1 and paused_at is not null and extract(epoch from paused_at)::text = $2
  returning name
)
select pg_notify(current_schema() || '.river_control', json_build_object('action', 'resume', 'queue', name)::text)
from changed
