-- The rows that triggers made for the demo: each gets its demo state, and an id that follows from the seed.
WITH requests AS (
    UPDATE feedback_requests AS f SET
        id = r.id, contact_id = r.contact_id, status = r.status, sent_at = r.sent_at, expires_at = r.expires_at,
        responded_at = r.responded_at, sentiment = r.sentiment, sentiment_score = r.sentiment_score,
        response_summary = r.response_summary, case_created_id = r.case_created_id,
        service_recovery_triggered = coalesce(r.service_recovery_triggered, false), created_at = f.delivery_date
    FROM jsonb_to_recordset(%(requests)s) AS r (
        id uuid, order_id uuid, contact_id uuid, status text, sent_at timestamptz, expires_at timestamptz,
        responded_at timestamptz, sentiment text, sentiment_score numeric, response_summary text, case_created_id uuid,
        service_recovery_triggered boolean)
    WHERE f.order_id = r.order_id
), created AS (
    UPDATE quote_activities AS a SET id = md5('created ' || q.id)::uuid, created_at = q.created_at
    FROM quotes AS q
    WHERE q.id = a.quote_id AND a.activity_type = 'created' AND q.tenant_id = ANY (%(tenants)s)
), live AS (
    -- The demo works at once, however tenants begin in this database.
    INSERT INTO engine_settings (tenant_id, engine, mode)
    SELECT t.id, e.name, 'automatic' FROM unnest(%(tenants)s) AS t (id) CROSS JOIN engines AS e
    ON CONFLICT DO NOTHING
)
UPDATE deal_stage_config AS c SET id = md5(c.tenant_id || c.stage)::uuid, created_at = t.created_at
FROM tenants AS t
WHERE t.id = c.tenant_id AND t.id = ANY (%(tenants)s)
