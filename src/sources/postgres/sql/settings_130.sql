-- Numbers, switches and choices that somebody set. Serves 13 and later. Settings that are free text
-- are left out: some hold a password.
/* warroom */
select name, setting || coalesce(' ' || nullif(unit, ''), '')
from pg_settings
where vartype <> 'string'
  and source in ('configuration file', 'command line', 'environment variable')
  and setting <> '(disabled)'
order by name
limit 300
