-- What of an earlier P1 stands in this database with the shape that P1 gave it: its tables, and where one of them is there
-- its views, functions, triggers and indexes on deals too. Those are adopted; whatever else bears such a name is the CRM's
-- own and stands in the way. Expects the P1 tables not to be the fleet's yet. All of it is gone with the transaction.

-- A column of P1's: what kind of value it holds, and whether a row means nothing without it.
CREATE TEMPORARY TABLE p1_column (table_name text, column_name text, kind text, needed boolean) ON COMMIT DROP;
INSERT INTO p1_column
SELECT t.table_name, trim(trailing '!' FROM c.name), k.kind, c.name LIKE '%!'
FROM (VALUES
    ('feedback_requests', '{"uuid": "id! tenant_id! order_id! client_id contact_id case_created_id",
        "word": "status! skip_reason response_email_id sentiment response_summary", "instant": "delivery_date scheduled_for! sent_at! responded_at expires_at created_at",
        "flag": "has_open_case service_recovery_triggered", "number": "sentiment_score"}'),
    ('deal_stage_history', '{"uuid": "id! tenant_id deal_id! changed_by", "word": "from_stage! to_stage! reason",
        "instant": "changed_at!", "number": "days_in_previous_stage"}'),
    ('deal_stage_config', '{"uuid": "id! tenant_id!", "word": "stage!", "instant": "created_at",
        "number": "max_days_before_stale! follow_up_interval_days! max_follow_ups!"}'),
    ('quotes', '{"uuid": "id! tenant_id! client_id! contact_id deal_id",
        "word": "quote_number! title description status! outcome! outcome_reason outcome_competitor outcome_notes",
        "number": "total_amount! view_count follow_up_count! max_follow_ups", "document": "line_items intel", "day": "valid_until!",
        "instant": "sent_at! viewed_at responded_at last_follow_up_at next_follow_up_at! created_at"}'),
    ('quote_activities', '{"uuid": "id! tenant_id quote_id!", "word": "activity_type! notes", "document": "metadata", "instant": "created_at"}'),
    ('quote_outcomes', '{"uuid": "id! tenant_id quote_id! recorded_by", "word": "outcome! primary_reason competitor",
        "list": "secondary_reasons", "number": "our_amount competitor_amount", "document": "learnings", "instant": "recorded_at"}'),
    ('contact_enrichment_queue', '{"uuid": "id! tenant_id! contact_id! merged_to_contact_id",
        "word": "email_address! source! source_id status! error_message", "document": "extracted_data merge_conflicts",
        "instant": "claimed_at processed_at created_at"}'),
    ('opportunity_signals', '{"uuid": "id! tenant_id! client_id contact_id",
        "word": "source_type! source_id! signal_type! extracted_text action_taken action_result", "number": "signal_strength!",
        "document": "context", "flag": "actioned!", "instant": "actioned_at created_at"}'),
    ('compliance_schedule', '{"uuid": "id! tenant_id!", "word": "compliance_type! description frequency! target_entity_type!",
        "instant": "next_due_at! last_completed_at created_at", "document": "target_filter", "list": "required_fields!",
        "number": "notification_days_before escalation_days_after", "flag": "is_active!"}'),
    ('compliance_checks', '{"uuid": "id! tenant_id! schedule_id! entity_id! escalated_to completed_by",
        "word": "compliance_type entity_type! entity_name status! waived_reason notes", "day": "period_start period_end",
        "instant": "due_at! reminder_sent_at! escalation_sent_at completed_at created_at", "list": "required_fields missing_fields",
        "document": "validation_errors", "number": "reminder_count notification_days_before escalation_days_after"}')
) AS t (table_name, kinds)
CROSS JOIN LATERAL jsonb_each_text(t.kinds::jsonb) AS k (kind, names)
CROSS JOIN LATERAL regexp_split_to_table(k.names, '\s+') AS c (name);

-- What a table of such a name has, and whether it can be read as the column of P1's. A domain is what it is made of.
CREATE TEMPORARY TABLE p1_present ON COMMIT DROP AS
WITH RECURSIVE plain_type AS (
    SELECT t.oid, t.oid AS base FROM pg_type AS t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, p.base FROM pg_type AS d JOIN plain_type AS p ON p.oid = d.typbasetype WHERE d.typtype = 'd'
)
SELECT c.oid AS table_id, c.relname::text AS table_name, a.attname::text AS column_name, a.attnum, p.kind, b.typname::text AS base,
       CASE p.kind
           WHEN 'uuid' THEN b.typname = 'uuid'
           WHEN 'word' THEN b.typcategory IN ('S', 'E') OR b.typname = 'uuid'
           WHEN 'number' THEN b.typcategory = 'N' AND b.typname <> 'money'
           WHEN 'flag' THEN b.typname = 'bool'
           WHEN 'document' THEN b.typname IN ('json', 'jsonb', '_text', '_varchar')
           WHEN 'list' THEN b.typname IN ('_text', '_varchar', 'json', 'jsonb')
           ELSE b.typcategory = 'D'
       END AS fits
FROM (SELECT DISTINCT x.table_name FROM p1_column AS x) AS w
JOIN pg_class AS c ON c.relname = w.table_name AND c.relnamespace = 'public'::regnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN plain_type AS y ON y.oid = a.atttypid
JOIN pg_type AS b ON b.oid = y.base
LEFT JOIN p1_column AS p ON p.table_name = w.table_name AND p.column_name = a.attname;

-- What is missing there, or of another kind; of a table in which this is nothing the rows can be taken over.
CREATE TEMPORARY TABLE p1_lack ON COMMIT DROP AS
SELECT c.relname::text AS table_name, string_agg(w.column_name, ', ' ORDER BY w.column_name) AS columns
FROM pg_class AS c
JOIN p1_column AS w ON w.table_name = c.relname
LEFT JOIN p1_present AS p ON p.table_name = w.table_name AND p.column_name = w.column_name
WHERE c.relnamespace = 'public'::regnamespace AND (p.column_name IS NULL AND w.needed OR NOT p.fits)
GROUP BY c.relname;

CREATE TEMPORARY TABLE p1_relation ON COMMIT DROP AS
SELECT c.oid, c.relname::text AS name, c.relkind, c.relowner AS owner, 'TABLE' AS type
FROM pg_class AS c
WHERE c.oid IN (SELECT p.table_id FROM p1_present AS p) AND c.relkind = 'r' AND c.relpersistence = 'p'
  AND c.relname NOT IN (SELECT l.table_name FROM p1_lack AS l);

INSERT INTO p1_relation
SELECT c.oid, c.relname, c.relkind, c.relowner, 'VIEW'
FROM (VALUES
    ('deal_stage_velocity', '{to_stage,transitions,avg_days}'::text[]),
    ('quote_win_rates', '{total_quotes,won_count,lost_count,win_rate_pct}'),
    ('signal_action_rates', '{signal_type,total_signals,actioned_count,action_rate_pct}'),
    ('compliance_completion_rates', '{compliance_type,total_checks,completed_count,completion_rate_pct}')
) AS v (name, columns)
JOIN pg_class AS c ON c.relname = v.name AND c.relnamespace = 'public'::regnamespace AND c.relkind = 'v'
WHERE EXISTS (SELECT FROM p1_relation) AND v.columns <@ ARRAY(SELECT a.attname::text FROM pg_attribute AS a WHERE a.attrelid = c.oid);

CREATE TEMPORARY TABLE p1_function ON COMMIT DROP AS
SELECT p.oid, p.proname::text AS name, p.proowner AS owner
FROM unnest(ARRAY[
    'get_stalled_deals(uuid, integer)', 'get_quotes_needing_followup(uuid, integer)', 'get_compliance_due(uuid, integer)',
    'log_deal_stage_change()', 'update_deal_last_activity()', 'seed_default_deal_stages(uuid)', 'generate_quote_number(uuid)',
    'advance_compliance_schedule(uuid)', 'create_compliance_checks_from_schedule(uuid, jsonb)',
    'calculate_signal_strength(text, jsonb)'
]) AS f (signature)
JOIN pg_proc AS p ON p.oid = to_regprocedure('public.' || f.signature)
WHERE EXISTS (SELECT FROM p1_relation);

CREATE TEMPORARY TABLE p1_trigger ON COMMIT DROP AS
SELECT g.oid, g.tgname::text AS name, g.tgenabled AS enabled
FROM pg_trigger AS g
WHERE g.tgrelid = to_regclass('public.deals') AND g.tgname IN ('deal_stage_change', 'deal_activity_update')
  AND g.tgfoid IN (SELECT f.oid FROM p1_function AS f);

CREATE TEMPORARY TABLE p1_index ON COMMIT DROP AS
SELECT i.indexrelid AS oid, c.relname::text AS name
FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE EXISTS (SELECT FROM p1_relation)
  AND (i.indrelid IN (SELECT r.oid FROM p1_relation AS r)
       OR i.indrelid = to_regclass('public.deals') AND c.relname IN ('idx_deals_follow_up', 'idx_deals_stall_detection'));
