-- A tenant with {deals} deals, as many deeds in the trail, and {actions} actions, of which some thousands wait; and a second one
-- with little.
-- Triggers rest while the rows come in; what they would have set is set here.
SET session_replication_role = replica;
SELECT setseed(0.7);

INSERT INTO tenants (id, name) VALUES (md5('large')::uuid, 'Large'), (md5('small')::uuid, 'Small');
INSERT INTO profiles (tenant_id, email, role) SELECT id, lower(name) || '@crm.example', 'admin' FROM tenants;
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups)
SELECT id, stage, days, 3, 5 FROM tenants
CROSS JOIN (VALUES ('lead', 3), ('qualified', 7), ('proposal', 5), ('negotiation', 7)) AS s (stage, days);
INSERT INTO engine_settings (tenant_id, engine, mode) SELECT t.id, e.name, 'automatic' FROM tenants AS t, engines AS e;

INSERT INTO clients (id, tenant_id, company_name)
SELECT md5('client' || n)::uuid, md5('large')::uuid, 'Company ' || n FROM generate_series(1, {deals} / 100) AS n;
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
SELECT md5('contact' || n)::uuid, md5('large')::uuid, md5('client' || 1 + n % ({deals} / 100))::uuid, 'Ann',
       'ann' || n || '@acme.example', true FROM generate_series(1, {deals} / 10) AS n;
INSERT INTO deals (id, tenant_id, client_id, contact_id, title, stage, created_at, last_activity_at, stalls_at, follow_up_ended_at)
SELECT md5('deal' || n)::uuid, md5('large')::uuid, md5('client' || 1 + n % ({deals} / 100))::uuid,
       md5('contact' || 1 + n % ({deals} / 10))::uuid, 'Deal ' || n,
       (ARRAY['lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost'])[1 + n % 6], now() - interval '200 days',
       now() - make_interval(secs => random() * 9000000), now() + interval '3 days',
       CASE WHEN n % 6 > 3 THEN now() - interval '1 day' END
FROM generate_series(1, {deals}) AS n;
INSERT INTO deal_stage_history (tenant_id, deal_id, from_stage, to_stage, changed_at, days_in_previous_stage)
SELECT md5('large')::uuid, md5('deal' || n)::uuid, 'lead', (ARRAY['qualified', 'proposal', 'won'])[1 + n % 3],
       now() - make_interval(secs => random() * 9000000), n % 40 FROM generate_series(1, {deals} / 10) AS n;

INSERT INTO compliance_checks (tenant_id, compliance_type, entity_type, entity_id, entity_name, period_start, period_end, due_at, status,
                               completed_at, required_fields)
SELECT md5('large')::uuid, 'Duty ' || n % 2, 'contact', md5('contact' || n / 2)::uuid, 'Ann ' || n / 2, '2026-01-01', '2026-12-31',
       now() + interval '3 days', (ARRAY['completed', 'awaiting_response', 'overdue'])[1 + n % 3], now(), '{tax_id}'
FROM generate_series(2, {deals} / 5) AS n;

INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id, contact_id,
                               mailbox, run_at, status, sent_at, sent_to, sent_subject, sent_body, reason, last_error, created_at,
                               dedupe_key)
SELECT CASE WHEN n % 1000 = 0 THEN md5('small') ELSE md5('large') END::uuid, 'deals', 'email', 'deal_follow_up',
       '{"deal": "Ten", "stage": "lead", "company": "Acme", "first_name": "Ann", "owner_name": null, "days_silent": 12, "step": 1, "max_steps": 5}',
       'deal', md5('deal' || 1 + n % {deals})::uuid, md5('client' || 1 + n % ({deals} / 100))::uuid,
       md5('contact' || 1 + n % ({deals} / 10))::uuid, 'ann' || 1 + n % ({deals} / 10) || '@acme.example',
       a.at, a.status, CASE WHEN a.status = 'sent' THEN a.at END,
       CASE WHEN a.status = 'sent' THEN 'ann' || 1 + n % ({deals} / 10) || '@acme.example' END,
       CASE WHEN a.status = 'sent' THEN 'Is the timing still right?' END, CASE WHEN a.status = 'sent' THEN 'Hello Ann' END,
       CASE WHEN a.status = 'skipped' THEN 'the mailbox has had its e-mails' END,
       CASE WHEN a.status = 'dead' THEN '550 no such mailbox' END, a.at, n::text
FROM generate_series(1, {actions}) AS n
CROSS JOIN LATERAL (
    SELECT now() - make_interval(secs => ({actions} - n) * 30000000.0 / {actions}) AS at,
           CASE WHEN n % 10 = 7 THEN 'skipped' WHEN n > {actions} - 3000 THEN 'suggested' WHEN n % 5000 = 1 THEN 'dead'
                WHEN n > {actions} - 6000 THEN 'scheduled' ELSE 'sent' END AS status
) AS a;

INSERT INTO console_audit (at, tenant_id, who, what, item, origin)
SELECT now() - make_interval(secs => ({deals} - n) * 30000000.0 / {deals}), md5(CASE WHEN n % 1000 = 0 THEN 'small' ELSE 'large' END)::uuid,
       'agent' || n % 50 || '@crm.example', (ARRAY['approve', 'cancel', 'deals with an answer', 'snooze'])[1 + n % 4], n::text, '192.0.2.7'
FROM generate_series(1, {deals}) AS n;

SET session_replication_role = origin;
VACUUM ANALYZE;
