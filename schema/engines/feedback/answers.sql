-- Feedback: what an answer means, and how an unhappy customer is won back.

-- Opens a case for an unhappy customer, and a next action for the client's owner (else for who is responsible
-- at all). A CRM has rules of its own: if it refuses the case, the next action says so.
CREATE OR REPLACE FUNCTION recover_service(p_message inbound_messages, p_request_id uuid, p_judgement jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_context record;
    v_case uuid;
    v_error text;
BEGIN
    SELECT f.tenant_id, f.order_id, l.id AS client_id, l.company_name, c.id AS contact_id, o.order_number,
           nullif(concat_ws(' ', c.first_name, c.last_name), '') AS customer,
           coalesce(w.id, responsible_profile(f.tenant_id, 'service')) AS owner_id
    INTO STRICT v_context
    FROM feedback_requests AS f
    LEFT JOIN orders AS o ON o.id = f.order_id AND o.tenant_id = f.tenant_id
    LEFT JOIN contacts AS c ON c.id = coalesce(p_message.contact_id, f.contact_id) AND c.tenant_id = f.tenant_id
    LEFT JOIN clients AS l ON l.id = coalesce(f.client_id, p_message.client_id) AND l.tenant_id = f.tenant_id
    LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = f.tenant_id AND NOT is_gone(to_jsonb(w))
    WHERE f.id = p_request_id;

    BEGIN
        INSERT INTO cases (tenant_id, order_id, client_id, contact_id, title, description, status, priority, source, category)
        VALUES (v_context.tenant_id, v_context.order_id, v_context.client_id, v_context.contact_id,
                'Unhappy with order ' || coalesce(v_context.order_number, v_context.order_id::text),
                p_judgement ->> 'summary', 'open', 'high', 'fleet', 'service_recovery')
        RETURNING id INTO v_case;
        SET CONSTRAINTS ALL IMMEDIATE;  -- a rule that waits for the end of the transaction would end all of it
    EXCEPTION WHEN OTHERS THEN
        IF is_transient(SQLSTATE) THEN
            RAISE;
        END IF;
        v_case := NULL;
        v_error := SQLERRM;
    END;
    UPDATE feedback_requests SET service_recovery_triggered = true, case_created_id = v_case WHERE id = p_request_id;
    IF v_case IS NOT NULL THEN
        PERFORM announce(v_context.tenant_id, 'case.opened', v_case::text, jsonb_build_object(
            'case_id', v_case, 'category', 'service_recovery', 'feedback_request_id', p_request_id, 'order_id', v_context.order_id,
            'client_id', v_context.client_id, 'contact_id', v_context.contact_id));
    END IF;

    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   contact_id, assigned_to, run_at, status, priority, dedupe_key)
    SELECT v_context.tenant_id, 'feedback', 'task', 'service_recovery',
           jsonb_build_object('order_number', v_context.order_number, 'company', v_context.company_name,
                              'customer', coalesce(v_context.customer, p_message.from_address),
                              'sentiment', p_judgement ->> 'sentiment', 'issues', p_judgement -> 'issues',
                              'summary', p_judgement ->> 'summary', 'case_error', v_error),
           'feedback_request', p_request_id, v_context.client_id, v_context.contact_id, v_context.owner_id, fleet_now(),
           -- An engine that is off by now asks nobody, but the customer waits.
           coalesce(action_status(v_context.tenant_id, 'feedback'), 'scheduled'), 'high', 'service_recovery:' || p_request_id
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING;
END
$$;

-- Records an answer to a feedback request, however late, and recovers an unhappy customer once. Of several
-- answers the unhappiest stays: thanks must not hide a complaint. One that cannot be read has no sentiment.
CREATE OR REPLACE FUNCTION feedback_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_sentiment constant text := p_judgement ->> 'sentiment';
    v_score constant numeric := (p_judgement ->> 'score')::numeric;
    v_request feedback_requests;
    v_unhappier boolean;
BEGIN
    SELECT * INTO v_request FROM feedback_requests
    WHERE id = p_action.subject_id AND tenant_id = p_message.tenant_id
    FOR NO KEY UPDATE;
    -- The answer calls for that task, and does not end it.
    PERFORM cancel_open_actions(p_action, 'the customer answered', p_keep => '{service_recovery}');
    IF v_request.id IS NULL THEN
        RETURN;
    END IF;
    v_unhappier := v_request.response_email_id IS NULL
        OR (v_request.sentiment IS NULL AND v_sentiment IS NOT NULL)
        OR (v_sentiment = 'negative', -v_score) > (v_request.sentiment = 'negative', -v_request.sentiment_score);
    UPDATE feedback_requests SET
        status = CASE status WHEN 'sent' THEN 'responded' ELSE status END,
        responded_at = coalesce(responded_at, v_now),
        response_email_id = CASE WHEN v_unhappier THEN p_message.id ELSE response_email_id END,
        sentiment = CASE WHEN v_unhappier THEN v_sentiment ELSE sentiment END,
        sentiment_score = CASE WHEN v_unhappier THEN v_score ELSE sentiment_score END,
        response_summary = CASE WHEN v_unhappier THEN p_judgement ->> 'summary' ELSE response_summary END
    WHERE id = v_request.id;
    -- "recover" asks the score, which finds more of the unhappy than the label does.
    IF ((p_judgement ->> 'recover')::boolean OR v_sentiment = 'negative' OR jsonb_array_length(p_judgement -> 'issues') >= 2)
       AND NOT v_request.service_recovery_triggered THEN
        PERFORM recover_service(p_message, v_request.id, p_judgement);
    END IF;
END
$$;

-- Somebody who was asked wrote by himself: perhaps that is the answer, and a person reads it.
CREATE OR REPLACE FUNCTION feedback_heard(p_message inbound_messages, p_judgement jsonb) RETURNS TABLE (subject_id uuid)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.id FROM scheduled_actions AS a
    JOIN feedback_requests AS r ON r.id = a.subject_id AND r.tenant_id = a.tenant_id
    WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
      AND a.subject_type = 'feedback_request' AND a.kind = 'email'
      AND (r.status = 'sent' OR has_open_case(a.tenant_id, a.client_id, a.contact_id))
$$;
REVOKE ALL ON FUNCTION recover_service(inbound_messages, uuid, jsonb),
    feedback_answered(inbound_messages, scheduled_actions, jsonb), feedback_heard(inbound_messages, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION recover_service(inbound_messages, uuid, jsonb),
    feedback_answered(inbound_messages, scheduled_actions, jsonb), feedback_heard(inbound_messages, jsonb) TO service_role;
