-- Who we are there, and what we may. Serves 13 and later.
select current_setting('server_version'),
       pg_is_in_recovery(),
       (select rolsuper from pg_roles where rolname = current_user),
       pg_has_role(current_user, 'pg_read_all_stats', 'usage'),
       pg_has_role(current_user, 'pg_signal_backend', 'usage'),
       case when to_regrole('pg_use_reserved_connections') is not null
            then pg_has_role(current_user, to_regrole('pg_use_reserved_connections'), 'usage') end,
       format('%I', current_user),
       current_setting('track_activities')::bool
