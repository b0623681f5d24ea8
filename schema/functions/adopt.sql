-- What must be true of rows that were there before the fleet came; runs after every migration, changes
-- nothing the second time, and never touches a CRM row.

SELECT seed_default_deal_stages(t.id) FROM tenants AS t
WHERE NOT EXISTS (SELECT FROM deal_stage_config AS c WHERE c.tenant_id = t.id);

INSERT INTO feedback_requests (tenant_id, order_id, client_id, contact_id, delivery_date, scheduled_for)
SELECT o.tenant_id, o.id, l.id, c.id, o.delivered_at, o.delivered_at + interval '7 days'
FROM orders AS o
JOIN tenants AS t ON t.id = o.tenant_id
LEFT JOIN clients AS l ON l.id = o.client_id AND l.tenant_id = o.tenant_id
LEFT JOIN contacts AS c ON c.id = o.contact_id AND c.tenant_id = o.tenant_id
WHERE o.delivered_at > fleet_now() - interval '60 days'
ON CONFLICT (tenant_id, order_id) DO NOTHING;
