-- Enrichment: what the fleet asks of every engine.

-- What waits for the engine, and since when; due once it has waited for its patience. Each arm is one index.
CREATE OR REPLACE VIEW enrichment_waiting WITH (security_invoker = true) AS
SELECT 'mail' AS what, m.tenant_id, timestamptz '1970-01-01 00:00:00+00' AS since, interval '0' AS patience
FROM inbound_messages AS m
WHERE m.processed_at IS NULL AND m.kind IN ('reply', 'message')
UNION ALL
SELECT 'signal', s.tenant_id, '1970-01-01 00:00:00+00', '0' FROM opportunity_signals AS s
WHERE NOT s.actioned AND s.action_taken IS NULL AND s.signal_strength >= 0.8
  AND (s.contact_id IS NOT NULL OR s.client_id IS NOT NULL)
UNION ALL
SELECT 'merge', e.tenant_id, '1970-01-01 00:00:00+00', '0' FROM contact_enrichment_queue AS e
WHERE e.status = 'pending' AND (e.source NOT IN ('apollo', 'web_search') OR e.extracted_data IS NOT NULL)
UNION ALL
SELECT 'look-up', e.tenant_id, coalesce(e.retry_at, '1970-01-01 00:00:00+00'), '0' FROM contact_enrichment_queue AS e
WHERE e.status = 'pending' AND e.source IN ('apollo', 'web_search') AND e.extracted_data IS NULL
UNION ALL
-- Silent for half an hour, its worker is lost.
SELECT 'lost', e.tenant_id, coalesce(e.claimed_at, e.created_at), '30 minutes' FROM contact_enrichment_queue AS e
WHERE e.status = 'processing';

CREATE OR REPLACE FUNCTION enrichment_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_first constant uuid[] := ARRAY(
        SELECT w.tenant_id FROM enrichment_waiting AS w WHERE w.since <= v_now - w.patience LIMIT few_due());
BEGIN
    IF cardinality(v_first) < few_due() THEN
        RETURN QUERY SELECT DISTINCT f.id FROM unnest(v_first) AS f (id);
    ELSE
        RETURN QUERY SELECT t.id FROM tenants AS t
        WHERE EXISTS (SELECT FROM enrichment_waiting AS w WHERE w.tenant_id = t.id AND w.since <= v_now - w.patience OFFSET 0);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION enrichment_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    SELECT w.tenant_id, count(*) FROM enrichment_waiting AS w WHERE w.since <= v_now - w.patience GROUP BY w.tenant_id;
END
$$;

CREATE OR REPLACE FUNCTION enrichment_next_due() RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN (SELECT min(t.at) FROM (
                SELECT w.tenant_id, min(w.since + w.patience) AS at FROM enrichment_waiting AS w
                WHERE w.since > v_now - w.patience GROUP BY w.tenant_id OFFSET 0    -- a tenant's mode is asked once
            ) AS t WHERE action_status(t.tenant_id, 'enrichment') IS NOT NULL);
END
$$;

-- Nobody is sent after a signal that was dealt with meanwhile.
CREATE OR REPLACE FUNCTION enrichment_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT a.id, 'the signal is ' || CASE WHEN s.id IS NULL THEN 'gone' ELSE 'dealt with' END
    FROM scheduled_actions AS a
    LEFT JOIN opportunity_signals AS s ON s.id = a.subject_id AND s.tenant_id = a.tenant_id
    WHERE a.id = ANY (p_actions) AND a.subject_type = 'opportunity_signal' AND (s.id IS NULL OR s.actioned);
END
$$;

-- A signal is done when its action is, whichever road led there: filed, cancelled by a person, refused by a guard.
CREATE OR REPLACE FUNCTION enrichment_settled(p_actions bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE opportunity_signals AS s
    SET actioned = true, actioned_at = fleet_now(),
        action_result = CASE a.status WHEN 'sent' THEN 'task filed' ELSE coalesce(a.reason, a.status) END
    FROM scheduled_actions AS a
    WHERE a.id = ANY (p_actions) AND a.subject_type = 'opportunity_signal' AND a.status IN ('sent', 'cancelled', 'skipped')
      AND s.id = a.subject_id AND s.tenant_id = a.tenant_id AND NOT s.actioned;
END
$$;

-- The engine writes to its own people only, and a customer's mail answers none of that.
CREATE OR REPLACE FUNCTION enrichment_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
$$;

REVOKE ALL ON FUNCTION enrichment_due_tenants(), enrichment_due_count(), enrichment_next_due(), enrichment_guard(bigint[]),
    enrichment_settled(bigint[]), enrichment_answered(inbound_messages, scheduled_actions, jsonb)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION enrichment_due_tenants(), enrichment_due_count(), enrichment_next_due(),
    enrichment_guard(bigint[]), enrichment_settled(bigint[]),
    enrichment_answered(inbound_messages, scheduled_actions, jsonb) TO service_role;

SELECT register_engine('enrichment');
