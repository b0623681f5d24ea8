-- Enrichment: what is done about opportunity signals.

-- Signals nobody acted on yet, the strongest first, then the oldest.
CREATE OR REPLACE FUNCTION get_unactioned_signals(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    signal_id uuid, source_type text, source_id uuid, client_id uuid, contact_id uuid, signal_type text,
    signal_strength numeric, extracted_text text, created_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 20
AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, s.source_type, s.source_id, s.client_id, s.contact_id, s.signal_type,
           s.signal_strength, s.extracted_text, s.created_at
    FROM opportunity_signals AS s
    WHERE s.tenant_id = p_tenant_id AND NOT s.actioned
    ORDER BY s.signal_strength DESC, s.created_at
    LIMIT p_limit;
END
$$;

-- Writes the next action for strong signals of people we know, and notes in each signal that it was written.
-- Weak ones, and those of strangers, stay for people. A complaint that answers a feedback request has its case
-- and its task already.
CREATE OR REPLACE FUNCTION act_on_signals(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_claimed uuid[];
BEGIN
    IF action_status(p_tenant_id, 'enrichment') IS NULL THEN
        RETURN;
    END IF;
    v_claimed := ARRAY(
        SELECT s.id FROM opportunity_signals AS s
        WHERE s.tenant_id = p_tenant_id AND NOT s.actioned AND s.action_taken IS NULL AND s.signal_strength >= 0.8
          AND (s.contact_id IS NOT NULL OR s.client_id IS NOT NULL)
          AND NOT EXISTS (SELECT FROM items_resting AS x
                          WHERE x.item_id = s.id AND x.engine = 'enrichment' AND x.tenant_id = p_tenant_id)
        ORDER BY s.created_at LIMIT p_limit
        FOR NO KEY UPDATE OF s SKIP LOCKED);
    RETURN QUERY SELECT * FROM step_in_halves('step_signals', 'enrichment', p_tenant_id, v_claimed, p_run);
END
$$;

-- Writes the next action for each of these signals, which the caller has locked.
CREATE OR REPLACE FUNCTION step_signals(p_tenant_id uuid, p_signals uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_status constant text := action_status(p_tenant_id, 'enrichment');
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT s.id, s.signal_type, s.signal_strength, s.extracted_text, s.source_type, l.id AS client_id, c.id AS contact_id,
               l.company_name, nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), '') AS person,
               p.id AS owner_id, p.full_name AS owner_name,
               s.signal_type = 'complaint' AND EXISTS (
                   SELECT FROM inbound_messages AS m
                   JOIN scheduled_actions AS a ON a.id = m.action_id AND a.tenant_id = p_tenant_id
                   JOIN feedback_requests AS f ON f.id = a.subject_id AND f.tenant_id = p_tenant_id
                   WHERE m.id = s.source_id AND m.tenant_id = p_tenant_id AND a.engine = 'feedback'
                     AND f.case_created_id IS NOT NULL) AS recovered
        FROM opportunity_signals AS s
        LEFT JOIN contacts AS c ON c.id = s.contact_id AND c.tenant_id = p_tenant_id
        LEFT JOIN clients AS l ON l.id = coalesce(s.client_id, c.client_id) AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS p ON p.id = l.owner_id AND p.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(p))
        WHERE s.id = ANY (p_signals)
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'enrichment', 'task', 'opportunity_signal',
               jsonb_build_object('signal', k.signal_type, 'strength', k.signal_strength, 'evidence', k.extracted_text,
                                  'origin', k.source_type, 'company', k.company_name, 'person', k.person),
               'opportunity_signal', k.id, k.client_id, k.contact_id, k.owner_id, v_now, v_status,
               'signal:' || k.id, p_run
        FROM known AS k WHERE NOT k.recovered
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    ), updated AS (
        UPDATE opportunity_signals AS s
        SET action_taken = CASE WHEN k.recovered THEN 'service recovery'
                                ELSE 'task for ' || coalesce(nullif(btrim(k.owner_name), ''), 'the team') END
        FROM known AS k WHERE s.id = k.id
        RETURNING s.id
    )
    SELECT 'due', 'signal', count(*) FROM updated
    UNION ALL SELECT 'acted', 'signal acted on', count(*) FROM updated
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

REVOKE ALL ON FUNCTION get_unactioned_signals(uuid, integer),
    act_on_signals(uuid, integer, bigint), step_signals(uuid, uuid[], bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION get_unactioned_signals(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION act_on_signals(uuid, integer, bigint), step_signals(uuid, uuid[], bigint) TO service_role;
