-- Inbound mail: what is stored, and what an answer stops. One message is one call of ingest_message, and all of it
-- happens in that call's transaction or not at all. Whose a message is and what it answers: correspondence.sql.

-- Stores a message and does what follows from it; the same message again changes nothing. Two workers with
-- one message meet at the unique Message-ID: the second waits there, and finds it stored. Another mail under a
-- Message-ID that was used before gets one of its own.
-- p_message: the columns of inbound_messages; "senders", see inbound_sender; "recipients"; "lists", the addresses of
-- the lists it came through; "subject_answered", see actions_by_subject, or null;
-- p_judgement: how the writer feels, for what may be an answer, see apply_reply; p_bounce: see apply_bounce.
CREATE OR REPLACE FUNCTION ingest_message(
    p_fingerprint text, p_tenant_id uuid, p_message jsonb, p_answered jsonb, p_judgement jsonb, p_bounce jsonb
) RETURNS TABLE (outcome text, tenant_id uuid, inbound_id uuid, kind text, action_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := coalesce(p_tenant_id, inbound_tenant(
        ARRAY(SELECT jsonb_array_elements_text(p_message -> 'recipients')), p_answered));
    v_action bigint := answered_action(v_tenant, p_answered);
    v_kind text := p_message ->> 'kind';
    v_sender record;
    v_matches bigint[];
    v_why text;
    v_message_id text := p_message ->> 'message_id';
    v_stored inbound_messages;
    v_id uuid;
BEGIN
    IF v_tenant IS NULL THEN
        RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::uuid, NULL::text, NULL::bigint;
        RETURN;
    END IF;
    -- Without a row all its fields are NULL: a mail server's report may have no sender. One list of senders is what
    -- workers of the last release do not send.
    SELECT * INTO v_sender FROM inbound_sender(v_tenant, v_action, coalesce(
        p_message -> 'senders',
        jsonb_build_array(jsonb_build_object('address', p_message -> 'from_address', 'name', p_message -> 'from_name',
                                             'folded', p_message -> 'folded'))));

    -- A list is bulk to whoever only reads it. An answer that came through one is an answer, and what came through
    -- the tenant's own was written to the tenant.
    IF v_kind = 'bulk' AND jsonb_array_length(p_message -> 'lists') > 0
       AND (v_action IS NOT NULL
            OR EXISTS (SELECT FROM jsonb_array_elements_text(p_message -> 'lists') AS l (address)
                       WHERE own_address(v_tenant, l.address) = 'mailbox')) THEN
        v_kind := 'reply';
    END IF;
    IF v_kind = 'reply' AND v_sender.own IS NOT NULL THEN
        v_kind := 'own';
    ELSIF v_kind = 'reply' AND v_action IS NOT NULL AND NOT v_sender.places THEN
        v_kind := 'unplaced';
        v_why := 'stranger';
    ELSIF v_kind = 'reply' AND v_action IS NULL THEN
        v_matches := ARRAY(SELECT actions_by_subject(v_tenant, v_sender.folded, p_message ->> 'subject_answered') LIMIT 2);
        v_kind := (ARRAY['message', 'reply', 'unplaced'])[cardinality(v_matches) + 1];
        IF v_kind = 'reply' THEN
            v_action := v_matches[1];
        ELSIF v_kind = 'unplaced' THEN
            v_why := 'several';
        END IF;
    END IF;
    IF v_kind = 'reply' AND p_judgement ->> 'summary' IS NULL THEN
        v_why := 'unreadable';
    END IF;

    FOR v_attempt IN 1 .. 2 LOOP
        INSERT INTO inbound_messages (
            tenant_id, message_id, in_reply_to, reference_ids, from_address, from_name, to_addresses, subject, sent_at,
            text, html, headers, raw_size, digest, kind, contact_id, client_id, action_id, received_at)
        SELECT v_tenant, v_message_id, m.in_reply_to, m.reference_ids, v_sender.address, v_sender.name, m.to_addresses,
               m.subject, m.sent_at, m.text, m.html, m.headers, m.raw_size, m.digest, v_kind, c.contact_id,
               coalesce(c.client_id, a.client_id), v_action, fleet_now()
        FROM jsonb_to_record(p_message) AS m (
            in_reply_to text, reference_ids text[], to_addresses text[], subject text, sent_at timestamptz, text text,
            html text, headers jsonb, raw_size integer, digest text)
        -- An action may name a client that is gone by now.
        LEFT JOIN LATERAL (
            SELECT x.contact_id, l.id AS client_id FROM scheduled_actions AS x
            LEFT JOIN clients AS l ON l.id = x.client_id AND l.tenant_id = v_tenant
            WHERE x.id = v_action AND v_kind <> 'unplaced'
        ) AS a ON true
        LEFT JOIN LATERAL (
            SELECT k.contact_id, k.client_id
            FROM ROWS FROM (contacts_with_address(v_tenant, v_sender.folded, v_sender.address)) WITH ORDINALITY
                AS k (contact_id, client_id, email, ordinal)
            ORDER BY k.contact_id = a.contact_id DESC NULLS LAST, k.client_id = a.client_id DESC NULLS LAST, k.ordinal
            LIMIT 1
        ) AS c ON true
        ON CONFLICT ON CONSTRAINT inbound_messages_tenant_id_message_id_key DO NOTHING
        RETURNING id INTO v_id;
        EXIT WHEN v_id IS NOT NULL;
        SELECT * INTO v_stored FROM inbound_messages AS s WHERE s.tenant_id = v_tenant AND s.message_id = v_message_id;
        EXIT WHEN is_same_mail(v_stored, v_sender.folded, p_message);
        v_message_id := format('<%s@used-message-id.invalid>', md5(concat_ws(
            ' ', v_sender.folded, p_message ->> 'sent_at', p_message ->> 'digest')));
    END LOOP;

    -- It was set aside before, for nobody we knew then perhaps.
    DELETE FROM inbound_rejects AS r WHERE r.fingerprint = p_fingerprint;

    IF v_id IS NOT NULL AND v_kind = 'reply' THEN
        PERFORM apply_reply(v_id, p_judgement);
    ELSIF v_id IS NOT NULL AND v_kind = 'bounce' THEN
        PERFORM apply_bounce(v_id, p_bounce);
    END IF;
    IF v_id IS NOT NULL AND v_why IS NOT NULL THEN
        PERFORM hand_over_message(v_id, coalesce(v_action, v_matches[1]), v_why, p_judgement ->> 'summary');
    END IF;
    RETURN QUERY SELECT CASE WHEN v_id IS NULL THEN 'duplicate' ELSE 'stored' END, v_tenant, v_id, v_kind, v_action;
END
$$;

-- Asks a person about a message that cannot be placed or read: the client's owner, else who is responsible at all.
-- One stranger is asked about once for each message of ours, however often he writes.
-- p_why: stranger, several or unreadable, see the template unplaced_answer.
CREATE OR REPLACE FUNCTION hand_over_message(p_inbound_id uuid, p_action_id bigint, p_why text, p_summary text)
RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   contact_id, assigned_to, run_at, status, dedupe_key)
    SELECT m.tenant_id, a.engine, 'task', 'unplaced_answer',
           jsonb_build_object('why', p_why, 'customer', coalesce(m.from_name, m.from_address),
                              'company', l.company_name, 'title', m.subject, 'summary', p_summary),
           'inbound_message', m.id, l.id, m.contact_id, coalesce(w.id, r.id), fleet_now(), 'scheduled',
           CASE p_why WHEN 'stranger' THEN format('stranger:%s:%s', a.id, folded_address(m.from_address))
                      ELSE format('%s:%s', p_why, m.id) END
    FROM inbound_messages AS m
    JOIN scheduled_actions AS a ON a.id = p_action_id AND a.tenant_id = m.tenant_id
    LEFT JOIN clients AS l ON l.id = a.client_id AND l.tenant_id = m.tenant_id
    LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = m.tenant_id
    LEFT JOIN LATERAL (
        SELECT p.id FROM profiles AS p
        WHERE p.tenant_id = m.tenant_id
        ORDER BY array_position(ARRAY['service', 'owner', 'admin', 'manager'], p.role) NULLS LAST, p.created_at, p.id
        LIMIT 1
    ) AS r ON true
    WHERE m.id = p_inbound_id
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
$$;

-- Stops what a stored reply answers. The subject's row is locked before its actions are read: an engine that
-- is following up at this moment has then written its action, and that one is cancelled too.
-- p_judgement: {"sentiment", "score", "issues": [...], "summary"}
CREATE OR REPLACE FUNCTION apply_reply(p_inbound_id uuid, p_judgement jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_message inbound_messages;
    v_action scheduled_actions;
BEGIN
    SELECT * INTO STRICT v_message FROM inbound_messages WHERE id = p_inbound_id;
    SELECT * INTO STRICT v_action FROM scheduled_actions
    WHERE id = v_message.action_id AND tenant_id = v_message.tenant_id;

    CASE v_action.subject_type
        WHEN 'feedback_request' THEN
            PERFORM answer_feedback(v_message, v_action, p_judgement);
        WHEN 'quote' THEN
            UPDATE quotes AS q SET
                responded_at = coalesce(q.responded_at, v_now),
                next_follow_up_at = NULL,
                follow_up_ended_at = coalesce(q.follow_up_ended_at, v_now)
            WHERE q.id = v_action.subject_id AND q.tenant_id = v_message.tenant_id;
            IF FOUND THEN
                INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
                VALUES (v_message.tenant_id, v_action.subject_id, 'response', p_judgement ->> 'summary',
                        jsonb_build_object('inbound_message_id', p_inbound_id, 'from', v_message.from_address,
                                           'sentiment', p_judgement ->> 'sentiment'), v_now);
            END IF;
        WHEN 'deal' THEN
            -- The series is named as well: of a deal whose last activity nobody ever wrote down, the trigger
            -- takes the first instant for a note and not for an activity.
            UPDATE deals AS d SET
                last_activity_at = greatest(d.last_activity_at, v_now), stalled_at = NULL, next_follow_up_at = NULL,
                follow_up_count = 0, follow_up_ended_at = NULL
            WHERE d.id = v_action.subject_id AND d.tenant_id = v_message.tenant_id;
        WHEN 'compliance_check' THEN
            UPDATE compliance_checks AS c SET status = 'in_progress'
            WHERE c.id = v_action.subject_id AND c.tenant_id = v_message.tenant_id
              AND c.status IN ('pending', 'awaiting_response', 'overdue');
        ELSE
            NULL;
    END CASE;

    UPDATE scheduled_actions AS a SET status = 'cancelled', reason = 'the customer answered'
    WHERE a.tenant_id = v_message.tenant_id AND a.subject_type = v_action.subject_type
      AND a.subject_id = v_action.subject_id AND a.status IN ('suggested', 'scheduled')
      AND a.template <> 'service_recovery';  -- an answer calls for that one and does not end it
END
$$;

-- Records an answer to a feedback request, however late, and recovers an unhappy customer once. Of several
-- answers the unhappiest stays: thanks must not hide a complaint.
CREATE OR REPLACE FUNCTION answer_feedback(
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
    IF v_request.id IS NULL THEN
        RETURN;
    END IF;
    v_unhappier := v_request.response_email_id IS NULL
        OR (v_sentiment = 'negative', -v_score) > (v_request.sentiment = 'negative', -v_request.sentiment_score);
    UPDATE feedback_requests SET
        status = CASE status WHEN 'sent' THEN 'responded' ELSE status END,
        responded_at = coalesce(responded_at, v_now),
        response_email_id = CASE WHEN v_unhappier THEN p_message.id ELSE response_email_id END,
        sentiment = CASE WHEN v_unhappier THEN v_sentiment ELSE sentiment END,
        sentiment_score = CASE WHEN v_unhappier THEN v_score ELSE sentiment_score END,
        response_summary = CASE WHEN v_unhappier THEN p_judgement ->> 'summary' ELSE response_summary END
    WHERE id = v_request.id;
    IF (v_sentiment = 'negative' OR jsonb_array_length(p_judgement -> 'issues') >= 2)
       AND NOT v_request.service_recovery_triggered THEN
        PERFORM recover_service(p_message, v_request.id, p_judgement);
    END IF;
END
$$;

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
           nullif(concat_ws(' ', c.first_name, c.last_name), '') AS customer, coalesce(w.id, r.id) AS owner_id
    INTO STRICT v_context
    FROM feedback_requests AS f
    LEFT JOIN orders AS o ON o.id = f.order_id AND o.tenant_id = f.tenant_id
    LEFT JOIN contacts AS c ON c.id = coalesce(p_message.contact_id, f.contact_id) AND c.tenant_id = f.tenant_id
    LEFT JOIN clients AS l ON l.id = coalesce(f.client_id, p_message.client_id) AND l.tenant_id = f.tenant_id
    LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = f.tenant_id
    LEFT JOIN LATERAL (
        SELECT p.id FROM profiles AS p
        WHERE p.tenant_id = f.tenant_id
        ORDER BY array_position(ARRAY['service', 'owner', 'admin', 'manager'], p.role) NULLS LAST, p.created_at, p.id
        LIMIT 1
    ) AS r ON true
    WHERE f.id = p_request_id;

    BEGIN
        INSERT INTO cases (tenant_id, order_id, client_id, contact_id, title, description, status, priority, source, category)
        VALUES (v_context.tenant_id, v_context.order_id, v_context.client_id, v_context.contact_id,
                'Unhappy with order ' || coalesce(v_context.order_number, v_context.order_id::text),
                p_judgement ->> 'summary', 'open', 'high', 'fleet', 'service_recovery')
        RETURNING id INTO v_case;
    EXCEPTION WHEN integrity_constraint_violation OR data_exception OR raise_exception THEN
        v_error := SQLERRM;
    END;
    UPDATE feedback_requests SET service_recovery_triggered = true, case_created_id = v_case WHERE id = p_request_id;

    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   contact_id, assigned_to, run_at, status, dedupe_key)
    SELECT v_context.tenant_id, 'feedback', 'task', 'service_recovery',
           jsonb_build_object('order_number', v_context.order_number, 'company', v_context.company_name,
                              'customer', coalesce(v_context.customer, p_message.from_address),
                              'sentiment', p_judgement ->> 'sentiment', 'issues', p_judgement -> 'issues',
                              'summary', p_judgement ->> 'summary', 'case_error', v_error),
           'feedback_request', p_request_id, v_context.client_id, v_context.contact_id, v_context.owner_id, fleet_now(),
           s.status, 'service_recovery:' || p_request_id
    FROM action_status(v_context.tenant_id, 'feedback') AS s (status)
    WHERE s.status IS NOT NULL
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING;
END
$$;

-- A hard bounce: the action keeps why it did not arrive, and its address is written to no more. A report that
-- names none of our messages is believed only about the tenant's own contacts.
-- p_bounce: {"hard", "recipient" (folded), "status"}
CREATE OR REPLACE FUNCTION apply_bounce(p_inbound_id uuid, p_bounce jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_reason constant text := concat_ws(' ', 'hard bounce', p_bounce ->> 'status');
    v_message inbound_messages;
    v_sent_to text;
BEGIN
    IF NOT coalesce((p_bounce ->> 'hard')::boolean, false) THEN
        RETURN;
    END IF;
    SELECT * INTO STRICT v_message FROM inbound_messages WHERE id = p_inbound_id;
    UPDATE scheduled_actions AS a SET reason = v_reason
    WHERE a.id = v_message.action_id AND a.tenant_id = v_message.tenant_id
    RETURNING nullif(lower(btrim(a.sent_to)), '') INTO v_sent_to;

    INSERT INTO suppressions (tenant_id, address, reason)
    SELECT v_message.tenant_id, v_sent_to, v_reason WHERE v_sent_to IS NOT NULL
    UNION
    SELECT v_message.tenant_id, lower(btrim(c.email)), v_reason
    FROM contacts_with_address(v_message.tenant_id, p_bounce ->> 'recipient', p_bounce ->> 'recipient') AS c
    WHERE v_sent_to IS NULL
    ON CONFLICT (tenant_id, address) DO NOTHING;
END
$$;

-- Keeps what could not be taken; the same message set aside again is the same row with the newest reason.
CREATE OR REPLACE FUNCTION set_aside_message(
    p_fingerprint text, p_source text, p_message_id text, p_reason text, p_raw_size bigint
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO inbound_rejects AS r (fingerprint, source, message_id, reason, raw_size, received_at)
    VALUES (p_fingerprint, p_source, p_message_id, p_reason, p_raw_size, fleet_now())
    ON CONFLICT (fingerprint) DO UPDATE SET reason = excluded.reason WHERE r.reason <> excluded.reason
$$;

CREATE OR REPLACE FUNCTION list_set_aside(p_limit integer)
RETURNS TABLE (
    fingerprint text, source text, message_id text, reason text, raw_size bigint, received_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.fingerprint, r.source, r.message_id, r.reason, r.raw_size, r.received_at FROM inbound_rejects AS r
    ORDER BY r.received_at DESC, r.fingerprint LIMIT p_limit
$$;

-- The last UID read of a folder; 0 for a new folder, or one whose server began to count anew.
CREATE OR REPLACE FUNCTION imap_position(p_folder text, p_uid_validity bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce((SELECT f.last_uid FROM imap_folders AS f
                     WHERE f.folder = p_folder AND f.uid_validity = p_uid_validity), 0)
$$;

CREATE OR REPLACE FUNCTION advance_imap_position(p_folder text, p_uid_validity bigint, p_last_uid bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO imap_folders AS f (folder, uid_validity, last_uid, polled_at)
    VALUES (p_folder, p_uid_validity, p_last_uid, fleet_now())
    ON CONFLICT (folder) DO UPDATE SET
        -- Of two workers in one folder the slower one takes nothing back.
        last_uid = CASE WHEN f.uid_validity = excluded.uid_validity
                        THEN greatest(f.last_uid, excluded.last_uid) ELSE excluded.last_uid END,
        uid_validity = excluded.uid_validity, polled_at = excluded.polled_at
$$;

REVOKE ALL ON FUNCTION ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), hand_over_message(uuid, bigint, text, text),
    apply_reply(uuid, jsonb), answer_feedback(inbound_messages, scheduled_actions, jsonb),
    recover_service(inbound_messages, uuid, jsonb), apply_bounce(uuid, jsonb),
    set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), hand_over_message(uuid, bigint, text, text),
    apply_reply(uuid, jsonb), answer_feedback(inbound_messages, scheduled_actions, jsonb),
    recover_service(inbound_messages, uuid, jsonb), apply_bounce(uuid, jsonb),
    set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) TO service_role;
