-- A tenant with %(n)s rows in every table. Most wait (until this evening or a later day, with the longest silence and
-- the highest amounts) or are finished; only the first forty are due.
INSERT INTO tenants (id, name) VALUES (%(tenant)s::uuid, 'T');
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale)
    VALUES (%(tenant)s::uuid, 'slow', 1000), (%(tenant)s::uuid, 'lead', 3), (%(tenant)s::uuid, 'proposal', 5);
INSERT INTO contacts (id, tenant_id, email, is_primary)
    SELECT md5(%(tenant)s || 'contact' || i)::uuid, %(tenant)s::uuid, 'c' || i || '@acme.example', true
    FROM generate_series(1, %(n)s) AS i;

INSERT INTO deals (tenant_id, contact_id, title, stage, last_activity_at, created_at, stalled_at, next_follow_up_at, follow_up_count)
    SELECT %(tenant)s::uuid, md5(%(tenant)s || 'contact' || 1 + i %% (%(n)s / 20))::uuid, 'd' || i,
           CASE WHEN i %% 10 = 0 THEN 'won' WHEN i %% 10 < 3 THEN 'slow' ELSE (ARRAY['lead', 'qualified', 'proposal', 'other'])[1 + i %% 4] END,
           now_ - CASE WHEN i %% 10 < 3 THEN interval '200 days' WHEN i <= 40 THEN interval '20 days'
                       WHEN i %% 10 < 8 THEN interval '300 days' ELSE interval '1 hour' END - i * interval '1 s',
           now_ - interval '400 days',
           CASE WHEN i > 40 AND i %% 10 BETWEEN 3 AND 7 THEN now_ - interval '9 days' END,
           CASE WHEN i > 40 AND i %% 10 BETWEEN 3 AND 7 THEN date_trunc('day', now_) + (i %% 4) * interval '1 day' + interval '14 hours'
                WHEN i <= 40 AND i %% 2 = 0 THEN now_ - interval '1 day' END, 1
    FROM generate_series(1, %(n)s) AS i, (SELECT %(now)s::timestamptz AS now_) AS c;

UPDATE deals SET stalls_at = last_activity_at
    + CASE stage WHEN 'slow' THEN 1000 WHEN 'lead' THEN 3 WHEN 'proposal' THEN 5 ELSE 7 END * interval '1 day'
    WHERE tenant_id = %(tenant)s::uuid;

INSERT INTO quotes (tenant_id, contact_id, quote_number, status, total_amount, sent_at, next_follow_up_at, follow_up_count, outcome, created_at)
    SELECT %(tenant)s::uuid, md5(%(tenant)s || 'contact' || 1 + i %% (%(n)s / 20))::uuid, 'q' || i,
           CASE WHEN i > 40 AND i %% 3 = 0 THEN 'accepted' ELSE 'sent' END, CASE WHEN i <= 40 THEN i ELSE 100000 + i END,
           now_ - interval '20 days',
           CASE WHEN i <= 20 THEN NULL WHEN i <= 40 THEN now_ - interval '2 days'
                ELSE date_trunc('day', now_) + (i %% 4) * interval '1 day' + interval '10 hours' END,
           1, CASE WHEN i > 40 AND i %% 3 = 0 THEN 'won' END, now_ - interval '30 days'
    FROM generate_series(1, %(n)s) AS i, (SELECT %(now)s::timestamptz AS now_) AS c;

INSERT INTO orders (id, tenant_id, contact_id, order_number, status, delivered_at)
    SELECT md5(%(tenant)s || 'order' || i)::uuid, %(tenant)s::uuid, md5(%(tenant)s || 'contact' || 1 + i %% (%(n)s / 20))::uuid, 'o' || i, 'delivered',
           %(now)s::timestamptz - interval '8 days'
    FROM generate_series(1, %(n)s) AS i;
INSERT INTO feedback_requests (tenant_id, order_id, contact_id, status, delivery_date, scheduled_for, sent_at, expires_at)
    SELECT %(tenant)s::uuid, md5(%(tenant)s || 'order' || i)::uuid, md5(%(tenant)s || 'contact' || 1 + i %% (%(n)s / 20))::uuid,
           CASE WHEN i <= 40 OR i %% 3 = 0 THEN 'pending' WHEN i %% 3 = 1 THEN 'expired' ELSE 'sent' END, now_ - interval '8 days',
           now_ + CASE WHEN i <= 40 THEN interval '-1 day' ELSE interval '1 hour' + i * interval '1 minute' END,
           CASE WHEN i > 40 AND i %% 3 > 0 THEN now_ - interval '40 days' END,
           CASE WHEN i > 40 AND i %% 3 = 2 THEN now_ + interval '10 days' END
    FROM generate_series(1, %(n)s) AS i, (SELECT %(now)s::timestamptz AS now_) AS c;

INSERT INTO contact_enrichment_queue (tenant_id, contact_id, source, status, extracted_data, claimed_at, created_at)
    SELECT %(tenant)s::uuid, md5(%(tenant)s || 'contact' || 1 + i %% (%(n)s / 20))::uuid, 'apollo',
           CASE WHEN i <= 40 THEN 'pending' WHEN i %% 10 = 0 THEN 'processing' ELSE 'completed' END, '{"title": "CTO"}',
           %(now)s::timestamptz, %(now)s::timestamptz - i * interval '1 minute'
    FROM generate_series(1, %(n)s) AS i;

INSERT INTO opportunity_signals (tenant_id, source_type, source_id, signal_type, signal_strength, actioned, created_at)
    SELECT %(tenant)s::uuid, 'email', gen_random_uuid(), 'renewal', CASE WHEN i <= 40 THEN 0.5 ELSE 0.9 END, i > 40, %(now)s::timestamptz
    FROM generate_series(1, %(n)s) AS i;

INSERT INTO clients (id, tenant_id, company_name) SELECT md5(%(tenant)s || 'client')::uuid, %(tenant)s::uuid, 'Acme';
INSERT INTO compliance_checks (tenant_id, entity_type, entity_id, period_start, period_end, status, due_at, reminder_sent_at)
    SELECT %(tenant)s::uuid, 'client', md5(%(tenant)s || 'client')::uuid, '2026-01-01', '2026-02-01',
           CASE WHEN i <= 40 THEN 'pending' WHEN i %% 2 = 0 THEN 'awaiting_response' ELSE 'completed' END,
           now_ + interval '10 days', CASE WHEN i > 40 AND i %% 2 = 0 THEN now_ - interval '1 day' END
    FROM generate_series(1, %(n)s) AS i, (SELECT %(now)s::timestamptz AS now_) AS c;

INSERT INTO scheduled_actions (tenant_id, engine, kind, template, subject_type, subject_id, recipient, run_at, status, dedupe_key)
    SELECT %(tenant)s::uuid, 'deals', 'email', 'deal_follow_up', 'none', gen_random_uuid(), 'a@acme.example',
           %(now)s::timestamptz + CASE WHEN i <= 40 THEN interval '0' ELSE interval '1 hour' END,
           CASE WHEN i <= 40 OR i %% 4 = 0 THEN 'scheduled' ELSE 'sent' END, 'k' || i
    FROM generate_series(1, %(n)s) AS i;

-- What triggers would have kept.
UPDATE quotes SET due_at = quote_due_at(quotes, 'UTC'), follow_up_day = quote_follow_up_day(quotes) WHERE tenant_id = %(tenant)s::uuid;
UPDATE compliance_checks SET next_step_at = compliance_next_step_at(compliance_checks, 'UTC') WHERE tenant_id = %(tenant)s::uuid;

INSERT INTO console_audit (at, tenant_id, who, what, item, origin)
SELECT %(now)s::timestamptz - n * interval '1 minute', %(tenant)s::uuid, CASE WHEN n %% 20 = 0 THEN %(tenant)s ELSE 'ann' END, 'approve', n::text, '192.0.2.7'
FROM generate_series(1, %(n)s) AS n;
