-- 100,000 due deals of 100 tenants, each with a client, an owner and somebody to write to.
SET session_replication_role = replica;

INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Tenant ' || t FROM generate_series(1, 100) AS t;
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups)
SELECT id, 'lead', 3, 2, 5 FROM tenants;
INSERT INTO profiles (id, tenant_id, full_name) SELECT id, id, 'Owner' FROM tenants;
INSERT INTO clients (id, tenant_id, company_name, owner_id)
SELECT md5('client' || id || n)::uuid, id, 'Company ' || n, id FROM tenants, generate_series(1, 100) AS n;
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
SELECT md5(c.id::text || n)::uuid, c.tenant_id, c.id, 'Ann', format('ann.%s@%s.example', n, c.id), n = 1
FROM clients AS c, generate_series(1, 10) AS n;
INSERT INTO deals (tenant_id, client_id, contact_id, owner_id, title, stage, created_at, last_activity_at, stalls_at)
SELECT c.tenant_id, c.id, md5(c.id::text || n)::uuid, c.tenant_id, 'Deal ' || n, 'lead', now() - interval '60 days',
       now() - make_interval(hours => 24 * 20 + n), now() - make_interval(hours => 24 * 17 + n)
FROM clients AS c, generate_series(1, 10) AS n;

SET session_replication_role = origin;
VACUUM ANALYZE;
