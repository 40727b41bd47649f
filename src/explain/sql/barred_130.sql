-- Of the schemas $1 those that the role $2 may not look into: a search_path passes over them in silence.
/* warroom */
select n.nspname::text
from pg_namespace n
where n.nspname = any ($1::text[]) and not has_schema_privilege($2::text, n.oid, 'usage')
