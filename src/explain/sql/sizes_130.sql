-- What the catalog says of these tables; no lock of a table is taken.
/* warroom */
select w.schema, w.name, c.reltuples::float8, c.relpages::float8 * current_setting('block_size')::float8
from unnest($1::text[], $2::text[]) w (schema, name)
join pg_namespace n on n.nspname = w.schema
join pg_class c on c.relnamespace = n.oid and c.relname = w.name
