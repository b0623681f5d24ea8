-- Requests about orders that were delivered before the fleet came or while a trigger failed, for the next %(rows)s orders after
-- %(after)s (NULL: the first ones). Tells the last of them; no row: there are no more.
WITH page AS MATERIALIZED (
    SELECT o.id, o.tenant_id, o.client_id, o.contact_id, crm_instant(o.delivered_at) AS delivered_at FROM orders AS o
    WHERE %(after)s::uuid IS NULL OR o.id > %(after)s::uuid
    ORDER BY o.id LIMIT %(rows)s
), asked AS (
    INSERT INTO feedback_requests (tenant_id, order_id, client_id, contact_id, delivery_date, scheduled_for)
    SELECT o.tenant_id, o.id, l.id, c.id, o.delivered_at, o.delivered_at + interval '7 days'
    FROM page AS o
    JOIN tenants AS t ON t.id = o.tenant_id
    LEFT JOIN clients AS l ON l.id = o.client_id AND l.tenant_id = o.tenant_id
    LEFT JOIN contacts AS c ON c.id = o.contact_id AND c.tenant_id = o.tenant_id
    WHERE o.delivered_at > fleet_now() - interval '60 days'
      AND NOT EXISTS (SELECT FROM feedback_requests AS r WHERE r.order_id = o.id AND r.tenant_id = o.tenant_id)
    ON CONFLICT (tenant_id, order_id) DO NOTHING
)
SELECT p.id FROM page AS p ORDER BY p.id DESC LIMIT 1
