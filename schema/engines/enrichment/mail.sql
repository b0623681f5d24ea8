-- Enrichment, first step: what customers wrote. What a mail means is decided in Python (workers.insight); here its rows
-- are claimed and settled.

-- The country in whose way a tenant's telephone numbers are read; NULL if it never said.
CREATE OR REPLACE FUNCTION tenant_region(p_tenant_id uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT d.phone_region FROM tenant_delivery AS d WHERE d.tenant_id = p_tenant_id
$$;

-- Claims a batch of unread mail with what is known of its sender. No more than 200, and of each no more than
-- anybody reads: the caller judges them while it holds their locks.
CREATE OR REPLACE FUNCTION claim_inbound(p_tenant_id uuid, p_limit integer)
RETURNS TABLE (
    message_id uuid, from_address text, from_name text, text text, html text, contact_id uuid, client_id uuid, title text
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF action_status(p_tenant_id, 'enrichment') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT m.* FROM inbound_messages AS m
        WHERE m.tenant_id = p_tenant_id AND m.processed_at IS NULL AND m.kind IN ('reply', 'message')
        ORDER BY m.received_at LIMIT least(p_limit, 200)
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT m.id, m.from_address, m.from_name, left(m.text, 60000),
           CASE WHEN btrim(m.text, E' \t\r\n') = '' THEN left(m.html, 200000) END,
           c.id, coalesce(l.id, c.client_id), c.title::text
    FROM claimed AS m
    LEFT JOIN contacts AS c ON c.id = m.contact_id AND c.tenant_id = p_tenant_id
    LEFT JOIN clients AS l ON l.id = m.client_id AND l.tenant_id = p_tenant_id
    ORDER BY m.received_at, m.id;
END
$$;

-- How strong a signal is: a base per type, more for several keywords and for somebody who decides.
CREATE OR REPLACE FUNCTION calculate_signal_strength(p_signal_type text, p_context jsonb DEFAULT '{}') RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT least(1.0,
        CASE p_signal_type
            WHEN 'complaint' THEN 0.8 WHEN 'urgency' THEN 0.9 WHEN 'budget_mention' THEN 0.85
            WHEN 'competitor_mention' THEN 0.75 WHEN 'expansion' THEN 0.95 WHEN 'renewal' THEN 0.9
            WHEN 'upsell' THEN 0.85 WHEN 'referral' THEN 0.95 WHEN 'churn_risk' THEN 0.95
            ELSE 0.5
        END
        + CASE WHEN coalesce((p_context ->> 'keyword_count')::integer, 0) > 2 THEN 0.1 ELSE 0 END
        + CASE WHEN coalesce((p_context ->> 'is_decision_maker')::boolean, false) THEN 0.05 ELSE 0 END)
$$;

-- Settles what was read in a batch of mail: one queue row per message that was signed, one signal per message
-- and type, and the mail itself. Whatever is there already stays as it is.
-- p_results: [{"message_id", "contact_id", "client_id", "address", "fields": {field: value} | null,
--              "signals": [{"type", "evidence", "context": {"keyword_count", "is_decision_maker", …}}],
--              "error": why it could not be read; such a mail is set aside and not tried again}]
CREATE OR REPLACE FUNCTION settle_inbound(p_tenant_id uuid, p_results jsonb)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH result AS (
        SELECT r.* FROM jsonb_to_recordset(p_results) AS r (
            message_id uuid, contact_id uuid, client_id uuid, address text, fields jsonb, signals jsonb, error text)
    ), unread AS (
        SELECT set_item_aside(p_tenant_id, 'enrichment', r.message_id, r.error) FROM result AS r WHERE r.error IS NOT NULL
    ), queued AS (
        INSERT INTO contact_enrichment_queue (tenant_id, contact_id, email_address, source, source_id, extracted_data)
        SELECT p_tenant_id, r.contact_id, r.address, 'email_signature', r.message_id::text, r.fields
        FROM result AS r
        WHERE r.fields IS NOT NULL AND (r.contact_id IS NOT NULL OR r.address IS NOT NULL)
        ON CONFLICT (tenant_id, source, source_id) WHERE source_id IS NOT NULL DO NOTHING
        RETURNING id
    ), found AS (
        INSERT INTO opportunity_signals (tenant_id, source_type, source_id, client_id, contact_id, signal_type,
                                         signal_strength, extracted_text, context)
        SELECT p_tenant_id, 'email', r.message_id, r.client_id, r.contact_id, s.type,
               calculate_signal_strength(s.type, s.context), s.evidence, s.context
        FROM result AS r CROSS JOIN jsonb_to_recordset(r.signals) AS s (type text, evidence text, context jsonb)
        -- Who says yes to an offer of renewal has renewed: his answer is somebody's task already.
        WHERE s.type <> 'renewal' OR NOT EXISTS (
            SELECT FROM inbound_messages AS m
            WHERE m.id = r.message_id AND m.tenant_id = p_tenant_id AND m.answer = 'acceptance')
        ON CONFLICT (tenant_id, source_type, source_id, signal_type) DO NOTHING
        RETURNING id
    ), updated AS (
        UPDATE inbound_messages AS m SET processed_at = fleet_now()
        FROM result AS r WHERE m.id = r.message_id AND m.tenant_id = p_tenant_id AND m.processed_at IS NULL
        RETURNING m.id
    )
    SELECT 'due', 'mail', count(*) FROM updated
    UNION ALL SELECT 'acted', 'mail read', count(*) - (SELECT count(*) FROM unread) FROM updated
    UNION ALL SELECT 'skipped', 'mail that cannot be read, set aside', count(*) FROM unread
    UNION ALL SELECT 'acted', 'signature found', count(*) FROM queued
    UNION ALL SELECT 'acted', 'signal found', count(*) FROM found
$$;

REVOKE ALL ON FUNCTION tenant_region(uuid), claim_inbound(uuid, integer), calculate_signal_strength(text, jsonb),
    settle_inbound(uuid, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION calculate_signal_strength(text, jsonb) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION tenant_region(uuid), claim_inbound(uuid, integer), settle_inbound(uuid, jsonb) TO service_role;
