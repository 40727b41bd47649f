-- What a plan needs to know of these sessions ($1: pids) beyond the common look. Serves 13 and later.
/* warroom */
select a.pid,
       (extract(epoch from a.backend_start) * 1e6)::int8,
       (extract(epoch from a.xact_start) * 1e6)::int8,
       coalesce(r.rolsuper, false),
       m.rolsuper or (not coalesce(r.rolsuper, false)
           and (pg_has_role(current_user, 'pg_signal_backend', 'usage')
                or (a.usesysid is not null and pg_has_role(current_user, a.usesysid, 'usage')))),
       format('grant pg_signal_backend to %I', current_user)
from unnest($1::int4[]) x(pid)
cross join lateral pg_stat_get_activity(x.pid) a
left join pg_roles r on r.oid = a.usesysid
cross join (select rolsuper from pg_roles where rolname = current_user) m
