-- $1 a queue, $2 the state of the pauses that was seen.
/* warroom */
update good_job_settings
set value = jsonb_set(value, '{queues}', (value -> 'queues') - $1::text), updated_at = now() at time zone 'utc'
where key = 'pauses' and value -> 'queues' ? $1::text and extract(epoch from updated_at)::text = $2
