-- 50 tenants, each with 400 e-mails due about 400 stalled deals, and open at all hours.
SET session_replication_role = replica;

INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Tenant ' || t FROM generate_series(1, 50) AS t;
INSERT INTO tenant_delivery (tenant_id, time_zone, window_start, window_end, send_days)
SELECT id, 'UTC', '00:00', NULL, '{1,2,3,4,5,6,7}' FROM tenants;
SELECT seed_default_deal_stages(id) FROM tenants;
CREATE TEMPORARY TABLE numbered AS
SELECT t.id AS tenant_id, n, md5(t.id || ':' || n)::uuid AS id FROM tenants AS t, generate_series(1, 400) AS n;
INSERT INTO clients (id, tenant_id, company_name) SELECT id, tenant_id, 'Client ' || n FROM numbered;
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
SELECT id, tenant_id, id, 'Ann', 'ann@client' || n || '.example', true FROM numbered;
INSERT INTO deals (id, tenant_id, client_id, contact_id, title, stage, last_activity_at, stalls_at, stalled_at, follow_up_count)
SELECT id, tenant_id, id, id, 'Deal ' || n, 'lead', now() - interval '9 days', now() - interval '6 days', now(), 1 FROM numbered;
INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id, contact_id,
                               mailbox, run_at, dedupe_key)
SELECT tenant_id, 'deals', 'email', 'deal_follow_up',
       jsonb_build_object('deal', 'Deal ' || n, 'stage', 'lead', 'company', 'Client ' || n, 'first_name', 'Ann', 'owner_name', NULL,
                          'days_silent', 9, 'step', 1, 'max_steps', 5),
       'deal', id, id, id, 'ann@client' || n || '.example', now(), id::text
FROM numbered;

SET session_replication_role = origin;
VACUUM ANALYZE;
