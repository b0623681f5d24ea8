-- Asking providers about contacts: claim, call outside any transaction, settle. What a provider allows, and
-- what a tenant may spend, is kept here for all workers together; nothing is locked during a call.

-- Reserves one call and up to p_size credits of the tenant's day. granted 0: not now, with the reason and the
-- instant from which it is worth asking again. p_budget NULL: no limit.
CREATE OR REPLACE FUNCTION reserve_call(p_tenant_id uuid, p_provider text, p_size integer, p_budget integer)
RETURNS TABLE (granted integer, reason text, retry_at timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_today constant date := (v_now AT TIME ZONE 'UTC')::date;
    v_spent integer;
BEGIN
    -- Locked by a statement of its own: the next one then sees what the holder before us left.
    PERFORM FROM provider_limits AS l WHERE l.provider = p_provider ORDER BY l.window_name FOR NO KEY UPDATE;
    RETURN QUERY
    SELECT 0, l.reason, l.ends_at FROM provider_limits AS l
    WHERE l.provider = p_provider AND l.ends_at > v_now AND l.calls_left <= 0
    ORDER BY l.ends_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN;
    END IF;

    INSERT INTO provider_usage (tenant_id, provider, day) VALUES (p_tenant_id, p_provider, v_today) ON CONFLICT DO NOTHING;
    SELECT u.credits INTO v_spent FROM provider_usage AS u
    WHERE u.tenant_id = p_tenant_id AND u.provider = p_provider AND u.day = v_today
    FOR NO KEY UPDATE;
    granted := least(p_size, p_budget - v_spent);
    IF granted <= 0 THEN
        RETURN QUERY SELECT 0, format('the daily budget of %s credits is used up', p_budget),
                            (v_today + 1)::timestamp AT TIME ZONE 'UTC';
        RETURN;
    END IF;
    UPDATE provider_usage AS u SET credits = u.credits + granted
    WHERE u.tenant_id = p_tenant_id AND u.provider = p_provider AND u.day = v_today;
    UPDATE provider_limits AS l SET calls_left = l.calls_left - 1
    WHERE l.provider = p_provider AND l.ends_at > v_now AND l.window_name <> 'pause';
    RETURN NEXT;
END
$$;

-- Claims rows for one call of a provider, each with what is known of its contact (found by id, else by
-- address). If the provider or the budget is closed, up to p_limit rows wait until it opens instead, and one
-- row without a queue_id says how many and why. Rows whose worker was lost half an hour ago come back.
CREATE OR REPLACE FUNCTION claim_lookups(
    p_tenant_id uuid, p_provider text, p_size integer, p_limit integer, p_budget integer
) RETURNS TABLE (
    queue_id uuid, claimed_at timestamptz, contact_id uuid, email text, first_name text, last_name text, company text,
    failures integer, postponed integer, reason text
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_due uuid[];
    v_permit record;
    v_postponed integer;
BEGIN
    IF action_status(p_tenant_id, 'enrichment') IS NULL THEN
        RETURN;
    END IF;
    WITH lost AS (
        SELECT e.id FROM contact_enrichment_queue AS e
        WHERE e.tenant_id = p_tenant_id AND e.status = 'processing' AND coalesce(e.claimed_at, e.created_at) <= v_now - interval '30 minutes'
          AND e.source = p_provider AND e.extracted_data IS NULL
        ORDER BY coalesce(e.claimed_at, e.created_at) LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE contact_enrichment_queue AS e SET status = 'pending', claimed_at = NULL FROM lost AS l WHERE e.id = l.id;

    WITH due AS (
        SELECT e.id FROM contact_enrichment_queue AS e
        WHERE e.tenant_id = p_tenant_id AND e.source = p_provider AND e.source IN ('apollo', 'web_search')
          AND e.status = 'pending' AND e.extracted_data IS NULL
          AND coalesce(e.retry_at, '1970-01-01 00:00:00+00') <= v_now
        ORDER BY coalesce(e.retry_at, '1970-01-01 00:00:00+00'), e.created_at LIMIT p_size
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT array_agg(d.id) INTO v_due FROM due AS d;
    IF v_due IS NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_permit FROM reserve_call(p_tenant_id, p_provider, cardinality(v_due), p_budget);
    IF v_permit.granted = 0 THEN
        WITH due AS (
            SELECT e.id FROM contact_enrichment_queue AS e
            WHERE e.tenant_id = p_tenant_id AND e.source = p_provider AND e.source IN ('apollo', 'web_search')
              AND e.status = 'pending' AND e.extracted_data IS NULL
              AND coalesce(e.retry_at, '1970-01-01 00:00:00+00') <= v_now
            ORDER BY coalesce(e.retry_at, '1970-01-01 00:00:00+00'), e.created_at LIMIT p_limit
            FOR NO KEY UPDATE SKIP LOCKED
        )
        UPDATE contact_enrichment_queue AS e
        SET retry_at = v_permit.retry_at, error_message = p_provider || ' waits: ' || v_permit.reason
        FROM due AS d WHERE e.id = d.id;
        GET DIAGNOSTICS v_postponed = ROW_COUNT;
        RETURN QUERY SELECT NULL::uuid, v_now, NULL::uuid, NULL::text, NULL::text, NULL::text, NULL::text, 0, v_postponed,
                            p_provider || ' waits: ' || v_permit.reason;
        RETURN;
    END IF;

    RETURN QUERY
    WITH claimed AS (
        UPDATE contact_enrichment_queue AS e SET status = 'processing', claimed_at = v_now
        WHERE e.id = ANY (v_due [:v_permit.granted])
        RETURNING e.id, e.contact_id, e.email_address, e.created_at
    )
    SELECT q.id, v_now, c.id, coalesce(nullif(btrim(c.email), ''), btrim(q.email_address)), c.first_name::text, c.last_name::text,
           l.company_name::text, coalesce((SELECT p.failures FROM provider_limits AS p
                                     WHERE p.provider = p_provider AND p.window_name = 'pause'), 0), 0, NULL::text
    FROM claimed AS q
    LEFT JOIN LATERAL (
        SELECT x.* FROM contacts AS x
        WHERE x.tenant_id = p_tenant_id
          AND CASE WHEN q.contact_id IS NULL THEN lower(x.email) = lower(btrim(q.email_address)) ELSE x.id = q.contact_id END
        ORDER BY x.created_at LIMIT 1
    ) AS c ON true
    LEFT JOIN clients AS l ON l.id = c.client_id AND l.tenant_id = p_tenant_id
    ORDER BY q.created_at, q.id;
END
$$;

-- Closes rows of a provider that is switched off, with the reason; returns how many.
CREATE OR REPLACE FUNCTION skip_lookups(p_tenant_id uuid, p_provider text, p_limit integer, p_reason text)
RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH due AS (
        SELECT e.id FROM contact_enrichment_queue AS e
        WHERE e.tenant_id = p_tenant_id AND e.source = p_provider AND e.source IN ('apollo', 'web_search')
          AND e.status = 'pending' AND e.extracted_data IS NULL
          AND action_status(p_tenant_id, 'enrichment') IS NOT NULL
        ORDER BY e.created_at LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), lost AS (
        SELECT e.id FROM contact_enrichment_queue AS e
        WHERE e.tenant_id = p_tenant_id AND e.status = 'processing' AND coalesce(e.claimed_at, e.created_at) <= fleet_now() - interval '30 minutes'
          AND e.source = p_provider AND e.extracted_data IS NULL
          AND action_status(p_tenant_id, 'enrichment') IS NOT NULL
        ORDER BY coalesce(e.claimed_at, e.created_at) LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE contact_enrichment_queue AS e SET status = 'skipped', error_message = p_reason, processed_at = fleet_now()
        FROM (SELECT * FROM due UNION ALL SELECT * FROM lost) AS d WHERE e.id = d.id
        RETURNING e.id
    )
    SELECT count(*)::integer FROM updated
$$;

-- Settles one call: its rows (only those this worker still holds), the credits it reserved and did not use,
-- and what was learned of the provider's windows. A window once seen ends when it was expected to, and only
-- loses calls until then: an answer may be older than another worker's reservation.
-- p_results: [{"queue_id", "status", "error", "data", "retry_at"}]
-- p_limits: [{"window_name", "calls_left", "ends_at", "reason", "failures"}]; NULL if nobody had to be asked
CREATE OR REPLACE FUNCTION settle_lookups(
    p_tenant_id uuid, p_provider text, p_claimed_at timestamptz, p_unused integer, p_results jsonb, p_limits jsonb
) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_settled integer;
BEGIN
    UPDATE contact_enrichment_queue AS e
    SET status = r.status, extracted_data = r.data, error_message = r.error, retry_at = r.retry_at, claimed_at = NULL,
        processed_at = CASE WHEN r.status <> 'pending' THEN v_now END
    FROM jsonb_to_recordset(p_results) AS r (queue_id uuid, status text, error text, data jsonb, retry_at timestamptz)
    WHERE e.id = r.queue_id AND e.tenant_id = p_tenant_id AND e.status = 'processing' AND e.claimed_at = p_claimed_at;
    GET DIAGNOSTICS v_settled = ROW_COUNT;

    UPDATE provider_usage AS u SET credits = greatest(u.credits - p_unused, 0)
    WHERE u.tenant_id = p_tenant_id AND u.provider = p_provider
      AND u.day = (p_claimed_at AT TIME ZONE 'UTC')::date AND p_unused <> 0;

    INSERT INTO provider_limits AS l (provider, window_name, calls_left, ends_at, reason, failures)
    SELECT p_provider, r.window_name, r.calls_left, r.ends_at, r.reason, r.failures
    FROM jsonb_to_recordset(p_limits)
        AS r (window_name text, calls_left integer, ends_at timestamptz, reason text, failures integer)
    ORDER BY r.window_name
    ON CONFLICT (provider, window_name) DO UPDATE SET
        calls_left = CASE WHEN l.ends_at > v_now THEN least(l.calls_left, excluded.calls_left) ELSE excluded.calls_left END,
        ends_at = CASE WHEN l.ends_at <= v_now THEN excluded.ends_at
                       WHEN l.window_name = 'pause' THEN greatest(l.ends_at, excluded.ends_at)
                       ELSE l.ends_at END,
        reason = excluded.reason,
        failures = excluded.failures;
    -- An answer ends the row of failures, whoever had them.
    IF p_limits IS NOT NULL AND NOT EXISTS (SELECT FROM jsonb_array_elements(p_limits) AS r WHERE r ->> 'window_name' = 'pause') THEN
        UPDATE provider_limits AS l SET failures = 0
        WHERE l.provider = p_provider AND l.window_name = 'pause' AND l.failures > 0;
    END IF;
    RETURN v_settled;
END
$$;

REVOKE ALL ON FUNCTION reserve_call(uuid, text, integer, integer),
    claim_lookups(uuid, text, integer, integer, integer), skip_lookups(uuid, text, integer, text),
    settle_lookups(uuid, text, timestamptz, integer, jsonb, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION reserve_call(uuid, text, integer, integer),
    claim_lookups(uuid, text, integer, integer, integer), skip_lookups(uuid, text, integer, text),
    settle_lookups(uuid, text, timestamptz, integer, jsonb, jsonb) TO service_role;
