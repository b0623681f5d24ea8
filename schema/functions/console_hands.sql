-- What people do at the console with one matter after the other: the next action of a list, another time, a pause, now. As in
-- console_pages.sql each function asks console_tenant first.

-- The neighbours of an action among those of a filter: the next newer and the next older one.
CREATE OR REPLACE FUNCTION console_neighbours(p_tenant_id uuid, p_filter jsonb, p_action bigint) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_filter constant jsonb := filter_within(console_tenant(p_tenant_id, 'reader'), p_filter);
BEGIN
    RETURN QUERY SELECT jsonb_build_object(
        'newer', (SELECT f FROM find_actions(v_filter || jsonb_build_object('after', p_action, 'oldest', 1)) AS f),
        'older', (SELECT f FROM find_actions(v_filter || jsonb_build_object('before', p_action, 'newest', 1)) AS f));
END
$$;

-- What people answered to an action, the oldest first.
CREATE OR REPLACE FUNCTION console_replies(p_tenant_id uuid, p_action bigint) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object('received_at', m.received_at, 'from_address', m.from_address, 'from_name', m.from_name,
                              'subject', m.subject, 'answer', m.answer, 'text', m.text)
    FROM inbound_messages AS m
    WHERE m.action_id = p_action AND m.kind = 'reply' AND (v_tenant IS NULL OR m.tenant_id = v_tenant)
    ORDER BY m.received_at LIMIT 20;
END
$$;

-- Moves actions that wait (suggested or scheduled) to another time.
CREATE OR REPLACE FUNCTION console_snooze(p_tenant_id uuid, p_ids bigint[], p_until timestamptz, p_by text, p_why text) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT edit_actions(console_chosen(
        p_tenant_id, jsonb_build_object('ids', p_ids, 'status', decidable_statuses('snooze')), 'snooze', cardinality(p_ids)
    ), NULL, p_until, console_who(p_by), p_why);
END
$$;

-- The pause of a mailbox or a subject, if it is paused.
CREATE OR REPLACE FUNCTION console_pause(p_tenant_id uuid, p_address text, p_subject uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object('ends_at', p.until, 'why', p.why, 'who', p.paused_by) FROM matter_pauses AS p
    WHERE p.tenant_id = v_tenant AND p.until > fleet_now()
      AND p.mailbox IS NOT DISTINCT FROM folded_address(p_address) AND p.subject_id IS NOT DISTINCT FROM p_subject;
END
$$;

-- Pauses a mailbox or (p_address NULL) a subject until a moment; NULL ends its pause. Returns how many actions that moved.
CREATE OR REPLACE FUNCTION console_set_pause(
    p_tenant_id uuid, p_address text, p_subject uuid, p_until timestamptz, p_by text, p_why text
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'agent');
BEGIN
    IF p_until IS NULL THEN
        RETURN end_pause(v_tenant, folded_address(p_address), p_subject, console_who(p_by), p_why)::integer;
    END IF;
    RETURN (SELECT count(*) FROM pause_matter(v_tenant, folded_address(p_address), p_subject, p_until, console_who(p_by), p_why));
END
$$;

-- Lets what waits about a subject leave now, suggestions too; where nothing was written, its engine takes its next step at
-- once. The guards hold as ever: hours, caps, suppressions. Returns the actions.
CREATE OR REPLACE FUNCTION console_write_now(p_tenant_id uuid, p_engine text, p_subject uuid, p_by text, p_why text) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'agent');
    v_waiting constant jsonb := filter_within(v_tenant, jsonb_build_object('subject', p_subject, 'status', decidable_statuses('snooze')));
    v_step text;
    v_ids bigint[] := ARRAY(SELECT find_actions(v_waiting));
BEGIN
    IF v_ids = '{}' AND action_status(v_tenant, p_engine) IS NOT NULL THEN
        SELECT 'step_' || e.name INTO v_step FROM engines AS e
        WHERE e.name = p_engine AND to_regprocedure(format('step_%s(uuid, uuid[], bigint)', e.name)) IS NOT NULL;
        IF v_step IS NOT NULL THEN
            PERFORM step_in_halves(v_step, p_engine, v_tenant, ARRAY[p_subject], NULL);
            v_ids := ARRAY(SELECT find_actions(v_waiting));
        END IF;
    END IF;
    PERFORM decide_actions(v_ids, 'approve', console_who(p_by), p_why);
    RETURN QUERY SELECT edit_actions(v_ids, NULL, fleet_now(), console_who(p_by), p_why);
END
$$;

REVOKE ALL ON FUNCTION console_neighbours(uuid, jsonb, bigint), console_replies(uuid, bigint), console_snooze(uuid, bigint[], timestamptz, text, text),
    console_pause(uuid, text, uuid), console_set_pause(uuid, text, uuid, timestamptz, text, text),
    console_write_now(uuid, text, uuid, text, text) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_neighbours(uuid, jsonb, bigint), console_replies(uuid, bigint), console_snooze(uuid, bigint[], timestamptz, text, text),
    console_pause(uuid, text, uuid), console_set_pause(uuid, text, uuid, timestamptz, text, text),
    console_write_now(uuid, text, uuid, text, text) TO authenticated, service_role;
