-- One round's work, for a tenant of its own: each client has one thing that is due, and somebody to write to about it.
WITH round AS (
    INSERT INTO tenants (name) VALUES ('Round ' || %(round)s) RETURNING id
), delivered AS (
    INSERT INTO tenant_delivery (tenant_id, window_start, window_end, send_days)
    SELECT r.id, '00:00', NULL, '{1,2,3,4,5,6,7}' FROM round AS r
), owner AS (
    INSERT INTO profiles (tenant_id, full_name, role) SELECT r.id, 'Olive Owner', 'owner' FROM round AS r
), client AS (
    INSERT INTO clients (tenant_id, company_name) SELECT r.id, 'Client ' || n FROM round AS r, generate_series(1, %(items)s) AS n
    RETURNING id, tenant_id, company_name
), contact AS (
    INSERT INTO contacts (tenant_id, client_id, first_name, email, is_primary)
    SELECT c.tenant_id, c.id, 'Ann', 'ann-' || %(round)s || '-' || replace(c.company_name, ' ', '-') || '@acme.example', true
    FROM client AS c
    RETURNING id, client_id, tenant_id
), numbered AS (
    SELECT k.*, row_number() OVER () %% 3 AS n FROM contact AS k
), deal AS (
    INSERT INTO deals (tenant_id, client_id, contact_id, title, stage, last_activity_at)
    SELECT n.tenant_id, n.client_id, n.id, 'Licences', 'proposal', now() - interval '20 days' FROM numbered AS n WHERE n.n = 0
), quote AS (
    INSERT INTO quotes (tenant_id, client_id, contact_id, title, status, total_amount, sent_at, next_follow_up_at)
    SELECT n.tenant_id, n.client_id, n.id, 'Licences', 'sent', 100, now() - interval '5 days', now() - interval '1 day'
    FROM numbered AS n WHERE n.n = 1
)
INSERT INTO orders (tenant_id, client_id, contact_id, order_number, status, delivered_at)
SELECT n.tenant_id, n.client_id, n.id, 'O-' || n.id, 'delivered', now() - interval '8 days' FROM numbered AS n WHERE n.n = 2;
