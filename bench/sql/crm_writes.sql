-- insert deals, many
INSERT INTO deals (tenant_id, client_id, contact_id, title)
SELECT md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'New ' || n
FROM generate_series(%(first)s::integer, %(last)s::integer) AS n;
-- insert orders, many
INSERT INTO orders (tenant_id, client_id, contact_id, order_number)
SELECT md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'N-' || n
FROM generate_series(%(first)s::integer, %(last)s::integer) AS n;
-- edit deals, many
UPDATE deals SET title = title || '.'
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- move deals, many
UPDATE deals SET stage = 'negotiation'
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- edit orders, many
UPDATE orders SET order_number = order_number || '.'
WHERE id IN (SELECT md5('order' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- deliver orders, many
UPDATE orders SET delivered_at = now()
WHERE id IN (SELECT md5('order' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- delete contacts, one
DELETE FROM contacts WHERE id = md5('contact' || %(first)s::integer)::uuid;
-- delete deals, one
DELETE FROM deals WHERE id = md5('deal' || %(first)s::integer)::uuid;
-- delete clients, one
DELETE FROM clients WHERE id = md5('client' || %(first)s::integer)::uuid;
