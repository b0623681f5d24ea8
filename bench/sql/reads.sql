-- 100 tenants with 10,000 rows in each table: one in ten is due, the others wait or are finished.
-- Triggers rest while the rows come in; what they would have set is set here.
SET session_replication_role = replica;
SELECT setseed(0.7);

INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Tenant ' || t FROM generate_series(1, 100) AS t;
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups)
SELECT id, stage, days, 3, 5 FROM tenants
CROSS JOIN (VALUES ('lead', 3), ('qualified', 7), ('proposal', 5), ('negotiation', 7)) AS s (stage, days);

CREATE TEMPORARY TABLE numbered AS
SELECT md5('tenant' || t)::uuid AS tenant_id, n, md5(t || ':' || n)::uuid AS id, random() AS r
FROM generate_series(1, 100) AS t, generate_series(1, 10000) AS n;

INSERT INTO deals (id, tenant_id, title, stage, created_at, updated_at, last_activity_at, stalls_at, stalled_at,
                   next_follow_up_at, follow_up_count, follow_up_ended_at)
SELECT id, tenant_id, 'Deal ' || n,
       (ARRAY['lead', 'qualified', 'proposal', 'negotiation', 'won', 'lost'])[1 + n % 6],
       now() - interval '200 days', now(),
       now() - make_interval(secs => CASE WHEN n % 10 = 0 THEN 900000 + r * 8000000 WHEN n % 10 < 5 THEN r * 200000 ELSE 900000 + r * 9000000 END),
       now() - make_interval(secs => CASE WHEN n % 10 = 0 THEN 300000 ELSE -300000 END),
       CASE WHEN n % 10 >= 5 THEN now() - interval '2 days' END,
       -- Followed up at eight or at two, so due again at eight or at two.
       CASE WHEN n % 10 BETWEEN 5 AND 7 THEN date_trunc('day', now()) + make_interval(days => 1 + n % 3, hours => CASE WHEN r < 0.5 THEN 8 ELSE 14 END)
            -- Due since yesterday's two slots.
            WHEN n % 20 = 10 THEN date_trunc('day', now()) - make_interval(hours => CASE WHEN r < 0.5 THEN 16 ELSE 10 END) END,
       CASE WHEN n % 10 >= 5 THEN 2 ELSE 0 END,
       CASE WHEN n % 10 >= 8 THEN now() - interval '1 day' END
FROM numbered;

INSERT INTO quotes (id, tenant_id, quote_number, title, status, total_amount, sent_at, valid_until, next_follow_up_at,
                    follow_up_count, outcome, created_at)
SELECT id, tenant_id, 'Q-' || n, 'Quote ' || n, CASE WHEN n % 10 < 6 THEN 'sent' ELSE 'accepted' END, round((r * 90000)::numeric, 2),
       now() - interval '10 days', current_date + 30,
       -- Sent in business hours three days ago, or followed up at ten.
       date_trunc('day', now()) + make_interval(
           days => CASE WHEN n % 10 = 0 THEN -1 ELSE 1 + n % 3 END,
           hours => CASE WHEN n % 20 < 10 THEN 10 ELSE 8 + (r * 9)::integer END, secs => CASE WHEN n % 20 < 10 THEN 0 ELSE r * 3599 END),
       1, CASE WHEN n % 10 >= 6 THEN 'won' END, now() - make_interval(secs => r * 9000000)
FROM numbered;

INSERT INTO orders (id, tenant_id, order_number, status, delivered_at)
SELECT id, tenant_id, 'O-' || n, 'delivered', now() - interval '8 days' FROM numbered;
INSERT INTO feedback_requests (id, tenant_id, order_id, status, delivery_date, scheduled_for, sent_at, expires_at)
SELECT id, tenant_id, id, CASE WHEN n % 10 < 4 THEN 'pending' WHEN n % 10 < 7 THEN 'sent' ELSE 'responded' END, now() - interval '8 days',
       now() + make_interval(secs => CASE WHEN n % 10 = 0 THEN -r * 80000 ELSE r * 600000 END),
       CASE WHEN n % 10 BETWEEN 4 AND 6 THEN now() - interval '2 days' END,
       CASE WHEN n % 10 BETWEEN 4 AND 6 THEN now() + interval '28 days' END
FROM numbered;

INSERT INTO contact_enrichment_queue (id, tenant_id, email_address, source, status, extracted_data, created_at)
SELECT id, tenant_id, 'c' || n || '@customer.example', 'email_signature', CASE WHEN n % 10 = 0 THEN 'pending' ELSE 'completed' END,
       '{"title": "Buyer"}', now() - make_interval(secs => r * 9000000)
FROM numbered;
INSERT INTO opportunity_signals (id, tenant_id, source_type, source_id, signal_type, signal_strength, actioned, created_at)
SELECT id, tenant_id, 'email', id, 'renewal', round((0.5 + r / 2)::numeric, 2), n % 10 <> 0, now() - make_interval(secs => r * 9000000)
FROM numbered;

INSERT INTO compliance_checks (id, tenant_id, compliance_type, entity_type, entity_id, period_start, period_end, due_at, status, reminder_sent_at)
SELECT id, tenant_id, 'Licence', 'client', id, current_date - 365, current_date,
       now() + make_interval(secs => CASE WHEN n % 10 = 0 THEN r * 800000 ELSE 400000 + r * 800000 END),
       CASE WHEN n % 10 = 0 THEN 'pending' WHEN n % 10 < 6 THEN 'awaiting_response' ELSE 'completed' END,
       CASE WHEN n % 10 BETWEEN 1 AND 5 THEN now() - interval '1 day' END
FROM numbered;

-- What triggers would have kept.
UPDATE quotes SET due_at = quote_due_at(quotes, 'UTC'), follow_up_day = quote_follow_up_day(quotes);
UPDATE compliance_checks SET next_step_at = compliance_next_step_at(compliance_checks, 'UTC');

SET session_replication_role = origin;
VACUUM ANALYZE;
