-- The texts of these statements ($1: queryids), and whose they are. Serves 13 and later.
/* warroom */
select distinct on (1, 2, 3)
       s.userid::int8, s.dbid::int8, s.queryid,
       pg_get_userbyid(s.userid), d.datname, left(s.query, 400)
from {schema}.pg_stat_statements(true) s
left join pg_database d on d.oid = s.dbid
where s.queryid = any($1)
limit 200
