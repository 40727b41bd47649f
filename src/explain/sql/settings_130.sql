-- What is set for the role $2 in the database $1, the narrowest first to count. Of search_path and of
-- what a planner goes by.
/* warroom */
select distinct on (x.name) x.name, x.value
from (select split_part(item, '=', 1) as name,
             substr(item, strpos(item, '=') + 1) as value,
             (s.setdatabase <> 0)::int + 2 * (s.setrole <> 0)::int as narrow
      from pg_db_role_setting s
      cross join unnest(s.setconfig) item
      where s.setdatabase in (0, (select d.oid from pg_database d where d.datname = $1))
        and s.setrole in (0, (select r.oid from pg_roles r where r.rolname = $2))) x
where x.name in ('search_path', 'work_mem', 'hash_mem_multiplier', 'effective_cache_size',
                 'seq_page_cost', 'random_page_cost', 'cpu_tuple_cost', 'cpu_index_tuple_cost',
                 'cpu_operator_cost', 'parallel_setup_cost', 'parallel_tuple_cost',
                 'max_parallel_workers_per_gather', 'join_collapse_limit', 'from_collapse_limit',
                 'constraint_exclusion', 'row_security')
   or x.name like 'enable\_%' or x.name like 'geqo%'
order by x.name, x.narrow desc
