-- What people decide about a check: that it need not be fulfilled, that it is, or that its answer is being worked on.
-- SECURITY DEFINER: results of checks are evidence, which users add to by these functions and do not rewrite.

-- Locks and returns an open check of the caller's.
CREATE OR REPLACE FUNCTION open_compliance_check(p_check_id uuid) RETURNS compliance_checks
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_check compliance_checks;
BEGIN
    SELECT * INTO v_check FROM compliance_checks AS c WHERE c.id = p_check_id AND may_act_for(c.tenant_id) FOR NO KEY UPDATE;
    IF v_check.id IS NULL THEN
        RAISE EXCEPTION 'there is no compliance check %', p_check_id USING ERRCODE = 'no_data_found';
    ELSIF v_check.status IN ('completed', 'waived') THEN
        RAISE EXCEPTION 'compliance check % is %', p_check_id, v_check.status USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN v_check;
END
$$;

-- Records that a check need not be fulfilled; a waiver without a reason is refused.
CREATE OR REPLACE FUNCTION waive_compliance_check(p_check_id uuid, p_reason text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_check constant compliance_checks := open_compliance_check(p_check_id);
BEGIN
    IF nullif(btrim(p_reason), '') IS NULL THEN
        RAISE EXCEPTION 'a waiver needs a reason' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE compliance_checks AS c SET status = 'waived', waived_reason = btrim(p_reason),
                                      completed_at = fleet_now(), completed_by = claimed_user()
    WHERE c.id = v_check.id;
END
$$;

-- Records that a check is fulfilled, whatever the entity's fields say: a person has seen the proof.
-- p_notes: which proof; NULL leaves the notes as they are.
CREATE OR REPLACE FUNCTION complete_compliance_check(p_check_id uuid, p_notes text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_check constant compliance_checks := open_compliance_check(p_check_id);
BEGIN
    UPDATE compliance_checks AS c SET status = 'completed', notes = coalesce(nullif(btrim(p_notes), ''), c.notes),
                                      completed_at = fleet_now(), completed_by = claimed_user()
    WHERE c.id = v_check.id;
    UPDATE compliance_schedule AS s SET last_completed_at = fleet_now()
    WHERE s.id = v_check.schedule_id AND s.tenant_id = v_check.tenant_id;
END
$$;

-- Records that the answer to a check came in and somebody works on it: the reminders stop, and the due dates still count.
CREATE OR REPLACE FUNCTION answer_compliance_check(p_check_id uuid, p_notes text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_check constant compliance_checks := open_compliance_check(p_check_id);
BEGIN
    UPDATE compliance_checks AS c SET
        status = CASE c.status WHEN 'escalated' THEN c.status ELSE 'in_progress' END,    -- whom it was escalated to still waits
        notes = coalesce(nullif(btrim(p_notes), ''), c.notes)
    WHERE c.id = v_check.id;
END
$$;

REVOKE ALL ON FUNCTION open_compliance_check(uuid), waive_compliance_check(uuid, text), complete_compliance_check(uuid, text),
    answer_compliance_check(uuid, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION waive_compliance_check(uuid, text), complete_compliance_check(uuid, text),
    answer_compliance_check(uuid, text) TO authenticated, service_role;
