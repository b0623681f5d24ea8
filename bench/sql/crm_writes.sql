-- insert deals, many
INSERT INTO deals (tenant_id, client_id, contact_id, title)
SELECT md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'New ' || n
FROM generate_series(%(first)s::integer, %(last)s::integer) AS n;
-- insert deals, one
INSERT INTO deals (tenant_id, client_id, contact_id, title)
VALUES (md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'Next ' || %(first)s::integer);
-- insert orders, many
INSERT INTO orders (tenant_id, client_id, contact_id, order_number)
SELECT md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'N-' || n
FROM generate_series(%(first)s::integer, %(last)s::integer) AS n;
-- insert orders, one
INSERT INTO orders (tenant_id, client_id, contact_id, order_number)
VALUES (md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'M-' || %(first)s::integer);
-- edit deals, many
UPDATE deals SET owner_id = md5(owner_id::text)::uuid
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- edit deals, one
UPDATE deals SET owner_id = md5(owner_id::text)::uuid WHERE id = md5('deal' || %(first)s::integer)::uuid;
-- rename deals, many
UPDATE deals SET title = title || '.'
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- rename deals, one
UPDATE deals SET title = title || '.' WHERE id = md5('deal' || %(first)s::integer)::uuid;
-- move deals, many
UPDATE deals SET stage = 'negotiation'
WHERE id IN (SELECT md5('deal' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- move deals, one
UPDATE deals SET stage = 'qualified' WHERE id = md5('deal' || %(first)s::integer)::uuid;
-- edit orders, many
UPDATE orders SET status = 'shipped'
WHERE id IN (SELECT md5('order' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- edit orders, one
UPDATE orders SET status = 'processing' WHERE id = md5('order' || %(first)s::integer)::uuid;
-- renumber orders, many
UPDATE orders SET order_number = order_number || '.'
WHERE id IN (SELECT md5('order' || n)::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- renumber orders, one
UPDATE orders SET order_number = order_number || '.' WHERE id = md5('order' || %(first)s::integer)::uuid;
-- deliver orders, one
UPDATE orders SET delivered_at = now() WHERE id = md5('order' || %(first)s::integer)::uuid;
-- deliver orders, many
UPDATE orders SET delivered_at = now()
WHERE id IN (SELECT md5('order' || (2000 + n))::uuid FROM generate_series(%(first)s::integer, %(last)s::integer) AS n);
-- delete contacts, one
DELETE FROM contacts WHERE id = md5('contact' || %(first)s::integer)::uuid;
-- delete deals, one
DELETE FROM deals WHERE id = md5('deal' || %(first)s::integer)::uuid;
-- delete clients, one
DELETE FROM clients WHERE id = md5('client' || %(first)s::integer)::uuid;
