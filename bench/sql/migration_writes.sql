-- edit a deal
UPDATE deals SET title = title || '.' WHERE id = md5('deal' || %(n)s::integer)::uuid;
-- move a deal
UPDATE deals SET stage = 'negotiation' WHERE id = md5('deal' || %(n)s::integer)::uuid;
-- insert a deal
INSERT INTO deals (tenant_id, client_id, contact_id, title)
VALUES (md5('tenant1')::uuid, md5('client1')::uuid, md5('contact1')::uuid, 'New ' || %(n)s::integer);
-- deliver an order
UPDATE orders SET delivered_at = now() WHERE id = md5('order' || %(n)s::integer)::uuid;
-- delete an order
DELETE FROM orders WHERE id = md5('order' || (%(n)s::integer + 1))::uuid;
-- delete a contact
DELETE FROM contacts WHERE id = md5('contact' || %(n)s::integer)::uuid;
