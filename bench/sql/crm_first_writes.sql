-- edit deals for the first time, many
UPDATE deals SET owner_id = md5('owner' || title)::uuid
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- edit deals for the first time, one
UPDATE deals SET owner_id = md5('owner' || title)::uuid WHERE id = md5('deal' || %(first)s::integer)::uuid;
