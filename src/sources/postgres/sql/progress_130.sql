-- Long commands that tell how far they are. Serves 13 and later. Names come from the catalog of this
-- database only, and without touching what they name.
/* warroom */
select p.command, p.pid, coalesce(p.datname, '')::text,
       case when p.datname = current_database()
            then (select relname from pg_class where oid = p.relid) end,
       p.phase, (p.done / nullif(p.of, 0))::float8
from (select 'vacuum' as command, pid, datname, relid, phase,
             heap_blks_scanned::numeric as done, heap_blks_total::numeric as of
      from pg_stat_progress_vacuum
      union all
      select 'analyze', pid, datname, relid, phase, sample_blks_scanned, sample_blks_total
      from pg_stat_progress_analyze
      union all
      select lower(command), pid, datname, relid, phase, blocks_done, blocks_total
      from pg_stat_progress_create_index
      union all
      select lower(command), pid, datname, relid, phase, heap_blks_scanned, heap_blks_total
      from pg_stat_progress_cluster
      union all
      select 'base backup', pid, null, null, phase, backup_streamed, backup_total
      from pg_stat_progress_basebackup) p
limit 100
