-- Ourselves, whether the role $1 may be taken on (never a superuser's), and the server's search_path
-- before anybody set one.
/* warroom */
select current_user::text,
       coalesce((select case when r.rolsuper or r.rolname = current_user then false
                             when current_setting('server_version_num')::int >= 160000
                             then pg_has_role(r.oid, 'SET')
                             else pg_has_role(r.oid, 'MEMBER') end
                 from pg_roles r where r.rolname = $1), false),
       (select s.boot_val from pg_settings s where s.name = 'search_path'),
       current_database()::text
