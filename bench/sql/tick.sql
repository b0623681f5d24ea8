-- 10,000 tenants, ten rows each in every table, and nothing due.
SET session_replication_role = replica;

INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Tenant ' || t FROM generate_series(1, 10000) AS t;
INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale) SELECT id, 'lead', 3 FROM tenants;
CREATE TEMPORARY TABLE numbered AS
SELECT t.id AS tenant_id, n, md5(t.id || ':' || n)::uuid AS id FROM tenants AS t, generate_series(1, 10) AS n;
INSERT INTO deals (id, tenant_id, title, stage, last_activity_at, stalls_at, stalled_at, next_follow_up_at, follow_up_count)
SELECT id, tenant_id, 'Deal ' || n, 'lead', now() - make_interval(days => CASE WHEN n < 5 THEN 1 ELSE 9 END),
       now() + make_interval(days => CASE WHEN n < 5 THEN 2 ELSE -6 END),
       CASE WHEN n >= 5 THEN now() END, CASE WHEN n >= 5 THEN now() + interval '1 day' END, 1 FROM numbered;
INSERT INTO quotes (id, tenant_id, quote_number, status, sent_at, next_follow_up_at)
SELECT id, tenant_id, 'Q-' || n, 'sent', now(), now() + interval '3 days' FROM numbered;
INSERT INTO orders (id, tenant_id, status, delivered_at) SELECT id, tenant_id, 'delivered', now() FROM numbered;
INSERT INTO feedback_requests (tenant_id, order_id, delivery_date, scheduled_for)
SELECT tenant_id, id, now(), now() + interval '7 days' FROM numbered;
INSERT INTO contact_enrichment_queue (tenant_id, email_address, source, status)
SELECT tenant_id, 'c@customer.example', 'manual', 'completed' FROM numbered;
INSERT INTO compliance_schedule (tenant_id, compliance_type, frequency, next_due_at, target_entity_type)
SELECT id, 'Licence', 'annual', now() + interval '100 days', 'client' FROM tenants;
INSERT INTO compliance_checks (tenant_id, compliance_type, entity_type, entity_id, period_start, period_end, due_at, status, reminder_sent_at)
SELECT tenant_id, 'Licence', 'client', id, current_date - 365, current_date, now() + interval '9 days', 'awaiting_response', now()
FROM numbered;

-- What triggers would have kept.
UPDATE quotes SET due_at = quote_due_at(quotes, 'UTC'), follow_up_day = quote_follow_up_day(quotes);
UPDATE compliance_schedule SET notify_at = compliance_notice_at(next_due_at, notification_days_before, 'UTC');
UPDATE compliance_checks SET next_step_at = compliance_next_step_at(compliance_checks, 'UTC');

SET session_replication_role = origin;
VACUUM ANALYZE;
