-- A statement by its id, where several roles or databases have it the one that took most time.
/* warroom */
select d.datname::text, r.rolname::text, s.calls::int8, textsend(s.query)
from pg_stat_statements(true) s
left join pg_database d on d.oid = s.dbid
left join pg_roles r on r.oid = s.userid
where s.queryid = $1
  and ($2::text is null or r.rolname = $2)
  and ($3::text is null or d.datname = $3)
order by s.total_exec_time desc
limit 1
