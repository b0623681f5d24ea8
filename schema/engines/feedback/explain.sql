-- What of feedback `fleet explain` finds and says; see schema/functions/engines.sql.

CREATE OR REPLACE FUNCTION feedback_found(p_tenant_id uuid, p_text text, p_id uuid)
RETURNS TABLE (kind text, tenant_id uuid, item uuid, subject uuid, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    -- An order is named, or its request; what is written is about the request.
    RETURN QUERY
    SELECT 'order', o.tenant_id, o.id, r.id, o.order_number::text FROM orders AS o
    LEFT JOIN feedback_requests AS r ON r.tenant_id = o.tenant_id AND r.order_id = o.id
    WHERE o.id IN (SELECT p_id UNION ALL SELECT x.order_id FROM feedback_requests AS x WHERE x.id = p_id)
      AND (p_tenant_id IS NULL OR o.tenant_id = p_tenant_id);
    RETURN QUERY
    SELECT 'order', o.tenant_id, o.id, r.id, o.order_number::text FROM tenants AS t
    JOIN orders AS o ON o.tenant_id = t.id AND lower(left(o.order_number::text, 200)) = lower(left(p_text, 200))
    LEFT JOIN feedback_requests AS r ON r.tenant_id = o.tenant_id AND r.order_id = o.id
    WHERE p_id IS NULL AND (p_tenant_id IS NULL OR t.id = p_tenant_id) LIMIT 100;
END
$$;

CREATE OR REPLACE FUNCTION feedback_explained(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH placed AS MATERIALIZED (
        SELECT o.status, o.contact_id, o.delivered_at, word_meaning(p_tenant_id, 'order_status', o.status::text) AS meaning
        FROM orders AS o
        WHERE o.id = p_id AND o.tenant_id = p_tenant_id
    ), request AS MATERIALIZED (
        SELECT r.* FROM feedback_requests AS r WHERE r.tenant_id = p_tenant_id AND r.order_id = p_id
    )
    SELECT o.delivered_at, 'now', CASE
        WHEN o.meaning IS NULL THEN format('nobody has said what the status "%s" means, so nobody is asked (fleet words set)', o.status)
        ELSE format('the order is %s%s', o.meaning, CASE WHEN o.delivered_at IS NULL THEN ', and has no date of delivery' END) END
    FROM placed AS o
    UNION ALL
    SELECT NULL, 'now', 'no feedback is asked for: it has no date of delivery, or was delivered before the fleet looked back'
    WHERE NOT EXISTS (SELECT FROM request)
    UNION ALL
    SELECT r.scheduled_for, 'next', 'its contact is asked for feedback' FROM request AS r WHERE r.status = 'pending'
    UNION ALL
    SELECT r.scheduled_for, 'now', 'its contact is not asked: ' || coalesce(r.skip_reason, 'no reason was kept')
    FROM request AS r WHERE r.status = 'skipped'
    UNION ALL
    SELECT NULL, 'now', 'the request waits: ' || r.skip_reason FROM request AS r WHERE r.status = 'pending' AND r.skip_reason IS NOT NULL
    UNION ALL
    SELECT r.sent_at, 'past', 'its contact was asked for feedback' FROM request AS r WHERE r.sent_at IS NOT NULL
    UNION ALL
    SELECT r.responded_at, 'past', format('the contact answered%s%s', ', ' || r.sentiment, ': ' || r.response_summary)
    FROM request AS r WHERE r.responded_at IS NOT NULL
    UNION ALL
    SELECT r.expires_at, CASE r.status WHEN 'sent' THEN 'next' ELSE 'past' END, 'the request expires without an answer'
    FROM request AS r WHERE r.status IN ('sent', 'expired') AND r.expires_at IS NOT NULL
    UNION ALL
    (SELECT c.created_at, 'past', format('case "%s" was opened, it is %s', c.title, c.status)
     FROM cases AS c WHERE c.order_id = p_id AND c.tenant_id = p_tenant_id ORDER BY c.created_at DESC LIMIT 50)
    UNION ALL
    SELECT x.* FROM request AS r JOIN placed AS o ON true
    CROSS JOIN LATERAL explain_reach(p_tenant_id, 'feedback', r.id, coalesce(o.contact_id, r.contact_id), r.client_id) AS x
    WHERE r.status = 'pending';
END
$$;

REVOKE ALL ON FUNCTION feedback_found(uuid, text, uuid), feedback_explained(uuid, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION feedback_found(uuid, text, uuid), feedback_explained(uuid, uuid) TO service_role;
