-- pgmq: a table a queue. Its own metrics count messages that are being worked on as waiting, so each
-- table is asked itself; a message waits until its time of visibility is pushed into the future.
with asked as materialized (
  select queue_name, query_to_xml(format(
    'select count(*) filter (where vt <= now()) as depth,
      extract(epoch from clock_timestamp() - min(case when read_ct = 0 then vt else enqueued_at end)
        filter (where vt <= now())) as oldest,
      count(*) filter (where vt > now() and read_ct > 0) as in_flight,
      count(*) filter (where vt > now() and read_ct = 0) as scheduled,
      max(read_ct) as tries,
      (array_agg(msg_id order by read_ct desc))[1] as message,
      count(*) > 100000 as capped
    from (select msg_id, read_ct, enqueued_at, vt from %I.%I order by msg_id limit 100001) few',
    current_schema(), 'q_' || lower(queue_name)), true, false, '') as answer
  from meta
), told as (
  select queue_name,
    (xpath('/table/row/depth/text()', answer))[1]::text::bigint as depth,
    (xpath('/table/row/oldest/text()', answer))[1]::text::float8 as oldest,
    (xpath('/table/row/in_flight/text()', answer))[1]::text::bigint as in_flight,
    (xpath('/table/row/scheduled/text()', answer))[1]::text::bigint as scheduled,
    (xpath('/table/row/tries/text()', answer))[1]::text::bigint as tries,
    (xpath('/table/row/message/text()', answer))[1]::text as message,
    (xpath('/table/row/capped/text()', answer))[1]::text::boolean as capped
  from asked
)
select
  queue_name as queue,
  depth,
  oldest,
  in_flight,
  scheduled,
  case when tries > 1 then 'message ' || message end as returning_job,
  tries as returning_tries,
  (select last_value from pg_sequences
    where schemaname = current_schema() and sequencename = 'q_' || lower(queue_name) || '_msg_id_seq') as added,
  capped
from told
