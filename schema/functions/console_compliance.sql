-- Compliance at the console: entities by types, one check with its evidence, and what a person decides about it. As in
-- console_pages.sql each function asks console_tenant first.

-- How many checks there are of each status, counted up to p_most and not beyond, and the types that schedules ask for.
CREATE OR REPLACE FUNCTION console_compliance_overview(p_tenant_id uuid, p_most integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object(
        'statuses', (SELECT jsonb_object_agg(s.status, (
                         SELECT count(*) FROM (SELECT FROM compliance_checks AS c
                                               WHERE c.tenant_id = v_tenant AND c.status = s.status LIMIT p_most) AS counted))
                     FROM unnest('{escalated, overdue, awaiting_response, in_progress, pending, completed, waived}'::text[]) AS s (status)),
        'types', (SELECT coalesce(jsonb_agg(DISTINCT s.compliance_type), '[]') FROM compliance_schedule AS s
                  WHERE s.tenant_id = v_tenant AND s.is_active));
END
$$;

-- A page of the entities that have checks, by name: those from a name on, or after an entity of that name, that have a check
-- of a status (NULL: any). Each with its checks that are open, and the latest one of each type.
CREATE OR REPLACE FUNCTION console_compliance(p_tenant_id uuid, p_status text, p_name text, p_after uuid, p_limit integer)
RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
    v_after constant uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
BEGIN
    -- Written out for each filter, so that each is read in the order of its own index.
    RETURN QUERY EXECUTE '
        WITH page AS MATERIALIZED (
            SELECT c.tenant_id, lower(coalesce(c.entity_name, '''')) AS sorted_by, c.entity_id, c.entity_type
            FROM compliance_checks AS c
            WHERE c.tenant_id = $1 AND (lower(coalesce(c.entity_name, '''')), c.entity_id) > (lower($3), $4)'
        || CASE WHEN p_status IS NULL THEN '' ELSE ' AND c.status = $2' END || '
            GROUP BY c.tenant_id, lower(coalesce(c.entity_name, '''')), c.entity_id, c.entity_type
            ORDER BY c.tenant_id, lower(coalesce(c.entity_name, '''')), c.entity_id LIMIT $5
        )
        SELECT jsonb_build_object(''entity_type'', p.entity_type, ''entity_id'', p.entity_id, ''name'', k.name, ''sorted_by'', p.sorted_by,
                                  ''checks'', k.checks)
        FROM page AS p
        CROSS JOIN LATERAL (
            SELECT max(x.entity_name) AS name,
                   jsonb_agg(jsonb_build_object(''id'', x.id, ''type'', x.compliance_type, ''status'', x.status, ''due_at'', x.due_at)
                             ORDER BY x.due_at DESC) AS checks
            FROM (SELECT c.*, row_number() OVER (PARTITION BY c.compliance_type ORDER BY c.due_at DESC, c.id) AS place
                  FROM compliance_checks AS c
                  WHERE c.tenant_id = $1 AND c.entity_type = p.entity_type AND c.entity_id = p.entity_id) AS x
            WHERE x.place = 1 OR x.status NOT IN (''completed'', ''waived'')
        ) AS k
        ORDER BY p.sorted_by, p.entity_id'
    USING v_tenant, p_status, p_name, v_after, p_limit;
END
$$;

-- One check with its evidence: each required field as it stands on the entity and what speaks against it, who was reminded
-- and what came back, and what people did here.
CREATE OR REPLACE FUNCTION console_check(p_tenant_id uuid, p_check uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(c) || jsonb_build_object(
        'tenant_name', t.name,
        'schedule_is_active', s.is_active, 'description', s.description, 'frequency', s.frequency,
        'escalated_to_name', coalesce(w.full_name, w.email::text),
        'completed_by_name', coalesce(d.full_name, d.email::text),
        'fields', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('name', q.field, 'value', v.value, 'fault', j.fault, 'reason', j.reason) ORDER BY q.n), '[]')
            FROM unnest(c.required_fields) WITH ORDINALITY AS q (field, n)
            CROSS JOIN LATERAL (SELECT coalesce(nullif(e.document -> q.field, 'null'), e.document -> 'attributes' -> q.field) AS value) AS v
            CROSS JOIN LATERAL judge_compliance_value(q.field, v.value, tenant_today(c.tenant_id), tenant_zone(c.tenant_id), k.locale) AS j),
        'answers', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('received_at', m.received_at, 'from_address', m.from_address, 'subject', m.subject,
                                                         'answer', m.answer, 'action_id', m.action_id) ORDER BY m.received_at), '[]')
            FROM scheduled_actions AS a
            JOIN inbound_messages AS m ON m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply'
            WHERE a.subject_type = 'compliance_check' AND a.subject_id = c.id AND a.tenant_id = c.tenant_id),
        'decisions', (
            SELECT coalesce(jsonb_agg(jsonb_build_object('at', a.at, 'who', a.who, 'what', a.what) ORDER BY a.id), '[]')
            FROM console_audit AS a
            WHERE a.tenant_id = c.tenant_id AND a.item = c.id::text
              AND a.what IN ('waives a check', 'completes a check', 'answers a check')))
    FROM compliance_checks AS c
    JOIN tenants AS t ON t.id = c.tenant_id
    LEFT JOIN compliance_schedule AS s ON s.id = c.schedule_id AND s.tenant_id = c.tenant_id
    LEFT JOIN profiles AS w ON w.id = c.escalated_to AND w.tenant_id = c.tenant_id
    LEFT JOIN profiles AS d ON d.id = c.completed_by AND d.tenant_id = c.tenant_id
    LEFT JOIN tenant_calendar AS k ON k.tenant_id = c.tenant_id
    LEFT JOIN LATERAL (
        SELECT n.document FROM compliance_entities AS n
        WHERE n.entity_type = c.entity_type AND n.id = c.entity_id AND n.tenant_id = c.tenant_id LIMIT 1
    ) AS e ON true
    WHERE c.id = p_check AND (v_tenant IS NULL OR c.tenant_id = v_tenant);
END
$$;

-- Waives, completes or answers a check, noted with who asked and from where. False: there is none of that id.
CREATE OR REPLACE FUNCTION console_decide_check(
    p_tenant_id uuid, p_check uuid, p_decision text, p_said text, p_session bigint, p_by text, p_origin text
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant uuid := console_tenant(p_tenant_id, 'agent');
BEGIN
    SELECT c.tenant_id INTO v_tenant FROM compliance_checks AS c WHERE c.id = p_check AND (v_tenant IS NULL OR c.tenant_id = v_tenant);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    CASE p_decision
        WHEN 'waive' THEN PERFORM waive_compliance_check(p_check, p_said);
        WHEN 'complete' THEN PERFORM complete_compliance_check(p_check, p_said);
        WHEN 'answer' THEN PERFORM answer_compliance_check(p_check, p_said);
    END CASE;
    PERFORM note_console(v_tenant, p_session, console_who(p_by), p_decision || 's a check', p_check::text, p_origin);
    RETURN true;
END
$$;

-- The checks of a tenant as rows of a list, by entity.
CREATE OR REPLACE FUNCTION console_compliance_list(p_tenant_id uuid, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object(
        'check_id', c.id, 'entity_type', c.entity_type, 'entity', c.entity_name, 'compliance_type', c.compliance_type,
        'period_start', c.period_start, 'period_end', c.period_end, 'due_at', c.due_at, 'status', c.status,
        'missing', array_to_string(c.missing_fields, ', '), 'reminders', c.reminder_count, 'completed_at', c.completed_at,
        'completed_by', coalesce(d.email::text, d.full_name), 'waived_reason', c.waived_reason, 'notes', c.notes)
    FROM compliance_checks AS c
    LEFT JOIN profiles AS d ON d.id = c.completed_by AND d.tenant_id = c.tenant_id
    WHERE c.tenant_id = v_tenant
    ORDER BY c.tenant_id, lower(coalesce(c.entity_name, '')), c.entity_id, c.due_at LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION console_compliance_overview(uuid, integer), console_compliance(uuid, text, text, uuid, integer),
    console_check(uuid, uuid), console_decide_check(uuid, uuid, text, text, bigint, text, text),
    console_compliance_list(uuid, integer) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_compliance_overview(uuid, integer), console_compliance(uuid, text, text, uuid, integer),
    console_check(uuid, uuid), console_decide_check(uuid, uuid, text, text, bigint, text, text),
    console_compliance_list(uuid, integer) TO authenticated, service_role;
