-- $1 a queue. Adds it to those held back and leaves the other pauses as they are.
/* warroom */
insert into good_job_settings as pauses (key, value, created_at, updated_at)
values ('pauses', jsonb_build_object('queues', jsonb_build_array($1::text), 'job_classes', '[]'::jsonb, 'labels', '[]'::jsonb),
        now() at time zone 'utc', now() at time zone 'utc')
on conflict (key) do update
set value = jsonb_set(coalesce(pauses.value, '{}'), '{queues}',
                      coalesce(pauses.value -> 'queues', '[]') || to_jsonb($1::text)),
    updated_at = excluded.updated_at
where not coalesce(pauses.value -> 'queues' ? $1::text, false)
