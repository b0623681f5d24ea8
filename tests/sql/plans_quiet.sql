-- Three thousand tenants with six waiting or finished rows in every table, and nothing due.
INSERT INTO tenants (id, name) SELECT md5(i::text)::uuid, 'T' FROM generate_series(1, 3000) AS i;
INSERT INTO engine_settings SELECT md5(i::text)::uuid, 'deals', 'off' FROM generate_series(1, 3000, 10) AS i;
CREATE TEMP TABLE each AS SELECT i, md5((1 + i %% 3000)::text)::uuid AS tenant_id FROM generate_series(1, 18000) AS i;

INSERT INTO deals (tenant_id, title, stage, last_activity_at, stalls_at, next_follow_up_at)
    SELECT tenant_id, 'd', CASE WHEN i %% 3 = 0 THEN 'won' ELSE 'lead' END, %(now)s::timestamptz - interval '1 day', %(now)s::timestamptz + interval '2 days',
           CASE WHEN i %% 3 = 1 THEN %(now)s::timestamptz + interval '1 hour' END FROM each;
INSERT INTO quotes (tenant_id, quote_number, status, next_follow_up_at, valid_until)
    SELECT tenant_id, 'q' || i, CASE WHEN i %% 2 = 0 THEN 'sent' ELSE 'rejected' END, %(now)s::timestamptz + interval '1 hour', '2027-01-01' FROM each;
INSERT INTO feedback_requests (tenant_id, order_id, status, delivery_date, scheduled_for)
    SELECT tenant_id, gen_random_uuid(), CASE WHEN i %% 2 = 0 THEN 'pending' ELSE 'expired' END, %(now)s::timestamptz, %(now)s::timestamptz + interval '1 hour' FROM each;
INSERT INTO contact_enrichment_queue (tenant_id, email_address, source, status, claimed_at)
    SELECT tenant_id, 'a@acme.example', 'apollo', CASE WHEN i %% 2 = 0 THEN 'processing' ELSE 'completed' END, %(now)s::timestamptz FROM each;
INSERT INTO compliance_schedule (tenant_id, compliance_type, frequency, next_due_at, target_entity_type)
    SELECT tenant_id, 'Audit', 'annual', %(now)s::timestamptz + interval '15 days', 'client' FROM each;
INSERT INTO compliance_checks (tenant_id, entity_type, entity_id, period_start, period_end, due_at, status)
    SELECT tenant_id, 'client', gen_random_uuid(), '2026-01-01', '2026-02-01', %(now)s::timestamptz + interval '15 days',
           CASE WHEN i %% 2 = 0 THEN 'pending' ELSE 'completed' END FROM each;

-- What triggers would have kept.
UPDATE quotes SET due_at = quote_due_at(quotes, 'UTC'), follow_up_day = quote_follow_up_day(quotes);
UPDATE compliance_schedule SET notify_at = compliance_notice_at(next_due_at, notification_days_before, 'UTC');
UPDATE compliance_checks SET next_step_at = compliance_next_step_at(compliance_checks, 'UTC');
