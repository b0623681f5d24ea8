-- What of quotes `fleet explain` finds and says; see schema/functions/engines.sql.

CREATE OR REPLACE FUNCTION quotes_found(p_tenant_id uuid, p_text text, p_id uuid)
RETURNS TABLE (kind text, tenant_id uuid, item uuid, subject uuid, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    RETURN QUERY
    SELECT 'quote', q.tenant_id, q.id, q.id, q.quote_number FROM quotes AS q
    WHERE q.id = p_id AND (p_tenant_id IS NULL OR q.tenant_id = p_tenant_id);
    RETURN QUERY
    SELECT 'quote', q.tenant_id, q.id, q.id, q.quote_number FROM tenants AS t
    JOIN quotes AS q ON q.tenant_id = t.id AND q.quote_number = p_text
    WHERE p_id IS NULL AND (p_tenant_id IS NULL OR t.id = p_tenant_id) LIMIT 100;
END
$$;

CREATE OR REPLACE FUNCTION quotes_explained(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH quote AS MATERIALIZED (
        SELECT q.*, has_decided_quote(p_tenant_id, q.deal_id) AS sister, d.stage AS deal_stage,
               coalesce(word_meaning(p_tenant_id, 'deal_stage', d.stage::text) IN ('won', 'lost'), false) AS closed
        FROM quotes AS q
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
        WHERE q.id = p_id AND q.tenant_id = p_tenant_id
    ), live AS (
        SELECT * FROM quote AS q
        WHERE q.status IN ('sent', 'viewed') AND q.outcome IS NULL AND NOT q.sister AND NOT q.closed
    )
    SELECT q.responded_at, 'now', format('the quote is %s%s', replace(q.status, '_', ' '), ', with the outcome ' || replace(q.outcome, '_', ' '))
    FROM quote AS q
    UNION ALL
    SELECT NULL, 'now', 'another quote of its deal has an outcome: nothing is written about this one' FROM quote AS q
    WHERE q.sister AND q.outcome IS NULL
    UNION ALL
    SELECT NULL, 'now', format('its deal is closed ("%s"): nothing is written about the quote', q.deal_stage) FROM quote AS q WHERE q.closed
    UNION ALL
    SELECT NULL, 'now', 'its follow-ups wait for ' || q.follow_up_hold FROM live AS q
    WHERE q.follow_up_hold IS NOT NULL AND q.follow_up_ended_at IS NULL
    UNION ALL
    SELECT q.follow_up_ended_at, 'now', concat_ws(': ', 'its follow-ups are over', q.follow_up_ended_for) FROM live AS q WHERE q.follow_up_ended_at IS NOT NULL
    UNION ALL
    SELECT q.next_follow_up_at, 'next', CASE
        WHEN q.follow_up_count < q.max_follow_ups THEN format('follow-up %s of %s is due', q.follow_up_count + 1, q.max_follow_ups)
        ELSE 'its owner is told that nobody answered' END
    FROM live AS q WHERE q.follow_up_ended_at IS NULL AND q.next_follow_up_at IS NOT NULL
    UNION ALL
    SELECT (q.valid_until + 1)::timestamp AT TIME ZONE tenant_zone(p_tenant_id), 'next', 'the quote expires'
    FROM live AS q WHERE q.valid_until IS NOT NULL
    UNION ALL
    (SELECT c.created_at, 'past', CASE
            WHEN c.activity_type IN ('created', 'sent', 'viewed', 'expired') THEN format('the quote was %s%s', c.activity_type, ', ' || c.notes)
            ELSE concat_ws(': ', replace(c.activity_type, '_', ' '), c.notes) END
     FROM quote_activities AS c
     WHERE c.quote_id = p_id AND c.tenant_id = p_tenant_id AND c.activity_type <> 'outcome' ORDER BY c.created_at DESC LIMIT 200)
    UNION ALL
    SELECT o.recorded_at, 'past', format('the outcome was recorded: %s%s', replace(o.outcome, '_', ' '), ', ' || o.primary_reason)
    FROM quote_outcomes AS o WHERE o.quote_id = p_id AND o.tenant_id = p_tenant_id
    UNION ALL
    SELECT r.* FROM live AS q CROSS JOIN LATERAL explain_reach(p_tenant_id, 'quotes', p_id, q.contact_id, q.client_id) AS r;
END
$$;

REVOKE ALL ON FUNCTION quotes_found(uuid, text, uuid), quotes_explained(uuid, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION quotes_found(uuid, text, uuid), quotes_explained(uuid, uuid) TO service_role;
