-- 200 tenants with ten due deals each, and a big one whose id comes before theirs.
SET session_replication_role = replica;

INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Small ' || t FROM generate_series(1, 200) AS t
UNION ALL SELECT '00000000-0000-0000-0000-000000000001', 'Big';
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups)
SELECT id, 'lead', 3, 2, 5 FROM tenants;
INSERT INTO profiles (id, tenant_id, full_name) SELECT id, id, 'Owner' FROM tenants;
INSERT INTO clients (id, tenant_id, company_name, owner_id)
SELECT md5('client' || t.id || n)::uuid, t.id, 'Company ' || n, t.id FROM tenants AS t
CROSS JOIN LATERAL generate_series(1, CASE WHEN t.name = 'Big' THEN {big} ELSE 10 END) AS n;
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
SELECT c.id, c.tenant_id, c.id, 'Ann', format('ann@%s.example', c.id), true FROM clients AS c;
INSERT INTO deals (tenant_id, client_id, contact_id, owner_id, title, stage, created_at, last_activity_at, stalls_at)
SELECT c.tenant_id, c.id, c.id, c.tenant_id, 'Deal', 'lead', now() - interval '60 days', now() - interval '20 days',
       now() - interval '17 days'
FROM clients AS c;

SET session_replication_role = origin;
VACUUM ANALYZE;
