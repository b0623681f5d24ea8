-- What of compliance `fleet explain` finds and says; see schema/functions/engines.sql.

CREATE OR REPLACE FUNCTION compliance_found(p_tenant_id uuid, p_text text, p_id uuid)
RETURNS TABLE (kind text, tenant_id uuid, item uuid, subject uuid, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    RETURN QUERY
    SELECT 'check', c.tenant_id, c.id, c.id, concat_ws(', ', c.compliance_type, c.entity_name) FROM compliance_checks AS c
    WHERE c.id = p_id AND (p_tenant_id IS NULL OR c.tenant_id = p_tenant_id);
END
$$;

CREATE OR REPLACE FUNCTION compliance_explained(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH asked AS MATERIALIZED (
        SELECT c.*, s.is_active, s.last_error FROM compliance_checks AS c
        LEFT JOIN compliance_schedule AS s ON s.id = c.schedule_id AND s.tenant_id = c.tenant_id
        WHERE c.id = p_id AND c.tenant_id = p_tenant_id
    )
    SELECT c.completed_at, 'now', format('the check of %s is %s%s', c.entity_name, replace(c.status, '_', ' '), ': ' || c.waived_reason)
    FROM asked AS c
    UNION ALL
    SELECT NULL, 'now', 'missing: ' || array_to_string(c.missing_fields, ', ') FROM asked AS c
    WHERE c.missing_fields <> '{}' AND c.status NOT IN ('completed', 'waived')
    UNION ALL
    SELECT NULL, 'now', 'its reminders wait for ' || c.reminder_hold FROM asked AS c WHERE c.reminder_hold IS NOT NULL
    UNION ALL
    SELECT NULL, 'now', 'its schedule was switched off: nobody is reminded and nobody told' FROM asked AS c WHERE NOT c.is_active
    UNION ALL
    SELECT NULL, 'now', 'its schedule waits to be mended: ' || c.last_error FROM asked AS c WHERE c.last_error IS NOT NULL
    UNION ALL
    SELECT x.aside_at, 'now', 'it is set aside for a day, because the CRM refuses the step: ' || x.error
    FROM items_resting AS x WHERE x.tenant_id = p_tenant_id AND x.engine = 'compliance' AND x.item_id = p_id
    UNION ALL
    SELECT c.next_step_at, 'next', CASE
        WHEN c.status = 'overdue' THEN 'it is escalated, if nothing came in until then'
        WHEN c.next_step_at >= c.due_at OR c.status = 'in_progress' THEN 'it counts as overdue, if nothing came in until then'
        ELSE format('reminder %s is due, if anything is missing then', c.reminder_count + 1) END
    FROM asked AS c WHERE c.next_step_at IS NOT NULL AND coalesce(c.is_active, true)
    UNION ALL
    SELECT c.due_at, CASE WHEN c.due_at > fleet_now() THEN 'next' ELSE 'past' END, 'its due date' FROM asked AS c WHERE c.status NOT IN ('completed', 'waived')
    UNION ALL
    SELECT c.escalation_sent_at, 'past', 'it was escalated' FROM asked AS c WHERE c.escalation_sent_at IS NOT NULL
    UNION ALL
    SELECT c.created_at, 'past', 'the check was made' FROM asked AS c;
END
$$;

REVOKE ALL ON FUNCTION compliance_found(uuid, text, uuid), compliance_explained(uuid, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION compliance_found(uuid, text, uuid), compliance_explained(uuid, uuid) TO service_role;
