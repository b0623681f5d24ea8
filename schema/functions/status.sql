-- What `fleet status` shows.

-- Per engine: the last run, and how many items are due for a step at this moment where the engine is not off.
CREATE OR REPLACE FUNCTION fleet_engine_status() RETURNS TABLE (
    engine text, due bigint, last_run_id bigint, last_trigger text, last_status text, last_started_at timestamptz,
    last_finished_at timestamptz, last_due bigint, last_acted bigint, last_actions bigint, last_failures jsonb
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT 'feedback' AS engine, f.tenant_id FROM feedback_requests AS f WHERE f.due_at <= v_now
        UNION ALL
        SELECT 'deals', d.tenant_id FROM deals_in_follow_up AS d
        LEFT JOIN deal_stage_config AS c ON c.tenant_id = d.tenant_id AND c.stage = d.stage
        WHERE (d.next_follow_up_at IS NULL OR d.next_follow_up_at <= v_now)
          AND d.active_at < v_now - make_interval(days => coalesce(c.max_days_before_stale, 7))
        UNION ALL
        SELECT 'quotes', q.tenant_id FROM quotes AS q WHERE q.due_at <= v_now
        UNION ALL
        SELECT 'enrichment', n.tenant_id FROM contact_enrichment_queue AS n
        WHERE n.status = 'pending'
          AND (n.source NOT IN ('apollo', 'web_search') OR n.extracted_data IS NOT NULL
               OR coalesce(n.retry_at, '1970-01-01 00:00:00+00') <= v_now)
        UNION ALL
        SELECT 'enrichment', n.tenant_id FROM contact_enrichment_queue AS n
        WHERE n.status = 'processing' AND coalesce(n.claimed_at, n.created_at) <= v_now - interval '30 minutes'
        UNION ALL
        SELECT 'enrichment', m.tenant_id FROM inbound_messages AS m
        WHERE m.processed_at IS NULL AND m.kind IN ('reply', 'message')
        UNION ALL
        SELECT 'enrichment', o.tenant_id FROM opportunity_signals AS o
        WHERE NOT o.actioned AND o.action_taken IS NULL AND o.signal_strength >= 0.8
          AND (o.contact_id IS NOT NULL OR o.client_id IS NOT NULL)
        UNION ALL
        SELECT 'compliance', k.tenant_id FROM compliance_checks AS k WHERE k.next_step_at <= v_now
        UNION ALL
        SELECT 'compliance', s.tenant_id FROM compliance_schedule AS s WHERE s.is_active AND s.notify_at <= v_now
    )
    SELECT e.engine, (
               SELECT count(*) FROM due AS u
               WHERE u.engine = e.engine AND NOT EXISTS (
                   SELECT FROM engine_settings AS o
                   WHERE o.tenant_id = u.tenant_id AND o.engine = u.engine AND o.mode = 'off')),
           r.id, r.trigger, r.status, r.started_at, r.finished_at, r.due, r.acted, r.actions, r.failures
    FROM unnest(ARRAY['feedback', 'deals', 'quotes', 'enrichment', 'compliance']) AS e (engine)
    LEFT JOIN LATERAL (
        SELECT x.* FROM engine_runs AS x WHERE x.engine = e.engine ORDER BY x.id DESC LIMIT 1
    ) AS r ON true;
END
$$;

CREATE OR REPLACE FUNCTION fleet_action_counts() RETURNS TABLE (status text, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.status, count(*) FROM scheduled_actions AS a GROUP BY a.status ORDER BY a.status
$$;

-- Schedules that could not make their checks, with the reason: someone has to mend them.
CREATE OR REPLACE FUNCTION fleet_refused_schedules() RETURNS TABLE (schedule_id uuid, last_error text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT s.id, s.last_error FROM compliance_schedule AS s WHERE s.is_active AND s.last_error IS NOT NULL ORDER BY s.id
$$;

-- Actions for a person's eyes, newest first: what waits for approval, what failed, or any other status.
CREATE OR REPLACE FUNCTION list_actions(p_status text, p_limit integer) RETURNS TABLE (
    action_id bigint, tenant_name text, engine text, kind text, template text, variables jsonb, address text,
    status text, reason text, attempts integer, last_error text, run_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id, t.name, a.engine, a.kind, a.template, a.variables, g.address, a.status, a.reason, a.attempts,
           a.last_error, a.run_at
    FROM scheduled_actions AS a
    JOIN tenants AS t ON t.id = a.tenant_id
    JOIN action_guards AS g ON g.action_id = a.id
    WHERE p_status IS NULL OR a.status = p_status
    ORDER BY a.id DESC
    LIMIT p_limit
$$;

-- The actions one run wrote, with the address each would go to and what the guards say: the dry run's view.
CREATE OR REPLACE FUNCTION actions_of_run(p_run bigint) RETURNS TABLE (
    action_id bigint, tenant_name text, kind text, template text, variables jsonb, address text, verdict text, reason text
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id, t.name, a.kind, a.template, a.variables, g.address, g.verdict, g.reason
    FROM scheduled_actions AS a
    JOIN tenants AS t ON t.id = a.tenant_id
    JOIN action_guards AS g ON g.action_id = a.id
    WHERE a.run_id = p_run
    ORDER BY a.id
$$;

-- Every tenant, and the modes of the engines that do not work automatically for it.
CREATE OR REPLACE FUNCTION list_tenants() RETURNS TABLE (tenant_id uuid, name text, modes jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT t.id, t.name, coalesce(jsonb_object_agg(s.engine, s.mode) FILTER (WHERE s.mode <> 'automatic'), '{}')
    FROM tenants AS t
    LEFT JOIN engine_settings AS s ON s.tenant_id = t.id
    GROUP BY t.id, t.name
    ORDER BY t.name, t.id
$$;

REVOKE ALL ON FUNCTION fleet_engine_status(), fleet_action_counts(), fleet_refused_schedules(),
    list_actions(text, integer), actions_of_run(bigint), list_tenants() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION fleet_engine_status(), fleet_action_counts(), fleet_refused_schedules(),
    list_actions(text, integer), actions_of_run(bigint), list_tenants() TO service_role;
