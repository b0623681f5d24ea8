-- Inbound mail: what is stored, and what an answer stops. One message is one call of ingest_message, and all of it
-- happens in that call's transaction or not at all. Whose a message is and what it answers: correspondence.sql.

-- Stores a message and does what follows from it; the same message again changes nothing. Two workers with
-- one message meet at the unique Message-ID: the second waits there, and finds it stored. Another mail under a
-- Message-ID that was used before gets one of its own.
-- p_message: the columns of inbound_messages; "senders", see inbound_sender; "recipients"; "lists", the addresses of
-- the lists it came through; "subject_answered", see actions_by_subject, or null;
-- p_judgement: what the writer wants and feels, see apply_reply; p_bounce: see apply_bounce.
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
    v_matches bigint[] := '{}';
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
                       WHERE own_address(v_tenant, l.address) IS NOT NULL)) THEN
        v_kind := 'reply';
    END IF;
    IF v_kind = 'reply' AND v_sender.own IS NOT NULL THEN
        v_kind := 'own';
    ELSIF v_kind = 'reply' AND v_action IS NOT NULL AND v_sender.places IS NOT TRUE THEN
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

    IF v_kind IN ('reply', 'message', 'unplaced') AND is_flooding(v_tenant, v_sender.address) THEN
        v_kind := 'bulk';
        v_why := NULL;
    END IF;

    FOR v_attempt IN 1 .. 2 LOOP
        INSERT INTO inbound_messages (
            tenant_id, message_id, in_reply_to, reference_ids, from_address, from_name, to_addresses, subject, sent_at,
            text, html, headers, raw_size, digest, away_until, answer, sentiment, kind, contact_id, client_id, action_id, received_at)
        SELECT v_tenant, v_message_id, m.in_reply_to, m.reference_ids, v_sender.address, v_sender.name, m.to_addresses,
               m.subject, m.sent_at, m.text, m.html, m.headers, m.raw_size, m.digest, m.away_until,
               p_judgement ->> 'answer', p_judgement ->> 'sentiment', v_kind, c.contact_id,
               coalesce(c.client_id, a.client_id), v_action, fleet_now()
        FROM jsonb_to_record(p_message) AS m (
            in_reply_to text, reference_ids text[], to_addresses text[], subject text, sent_at timestamptz, text text,
            html text, headers jsonb, raw_size integer, digest text, away_until date)
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
    ELSIF v_id IS NOT NULL AND v_kind IN ('message', 'unplaced') THEN
        PERFORM heed_answer(m, NULL, p_judgement) FROM inbound_messages AS m
        WHERE m.id = v_id AND m.contact_id IS NOT NULL;
    ELSIF v_id IS NOT NULL AND v_kind IN ('bounce', 'complaint') THEN
        PERFORM apply_bounce(v_id, p_bounce);
    END IF;
    IF v_id IS NOT NULL AND v_kind = 'unplaced' THEN
        PERFORM forward_answer(t.message, t.action, p_judgement, t.task)
        FROM (SELECT m AS message, a AS action,
                     file_answer_task('answer_unplaced', m, a, p_judgement || jsonb_build_object('why', v_why)) AS task
              FROM inbound_messages AS m, scheduled_actions AS a
              WHERE m.id = v_id AND a.id = coalesce(v_action, v_matches[1])) AS t
        WHERE t.task IS NOT NULL;
    END IF;
    RETURN QUERY SELECT CASE WHEN v_id IS NULL THEN 'duplicate' ELSE 'stored' END, v_tenant, v_id, v_kind, v_action;
END
$$;

-- Tells the engine whose message a stored reply answers. What a CRM refuses of that is set aside, and neither the wish of
-- the customer nor his answer is lost by it. The engine locks its subject's row before it cancels what is
-- open about it: another worker that is following up at this moment has then written its action, and that one is
-- cancelled too.
-- p_judgement: {"answer", "language", "language_name", "sentiment", "score", "issues": [...], "summary", "text"};
-- sentiment and score are NULL where they cannot be told
CREATE OR REPLACE FUNCTION apply_reply(p_inbound_id uuid, p_judgement jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_message inbound_messages;
    v_action scheduled_actions;
    v_error text;
BEGIN
    SELECT * INTO STRICT v_message FROM inbound_messages WHERE id = p_inbound_id;
    SELECT * INTO STRICT v_action FROM scheduled_actions
    WHERE id = v_message.action_id AND tenant_id = v_message.tenant_id;
    IF EXISTS (SELECT FROM engines AS e WHERE e.name = v_action.engine) THEN
        BEGIN
            EXECUTE format('SELECT %I($1, $2, $3)', v_action.engine || '_answered') USING v_message, v_action, p_judgement;
            SET CONSTRAINTS ALL IMMEDIATE;
        EXCEPTION WHEN OTHERS THEN
            IF is_transient(SQLSTATE) THEN
                RAISE;
            END IF;
            v_error := SQLERRM;
        END;
        IF v_error IS NOT NULL THEN
            PERFORM cancel_open_actions(v_action, 'the customer answered');
            PERFORM set_item_aside(v_message.tenant_id, v_action.engine, v_action.subject_id, v_error);
        END IF;
    END IF;
    PERFORM heed_answer(v_message, v_action, p_judgement);
END
$$;

-- A bounce or a complaint: the action keeps why it did not arrive, and what failed is noted, which suppresses what is
-- dead (see failures.sql). Whoever is named beside the address that we wrote to is its owner's business. A report that
-- names none of our messages is believed only about the tenant's own contacts. A delay is no failure yet. Who complains
-- wants no more mail, as if he had written so.
-- p_bounce: {"failures": [{"recipient" (folded), "whose", "cause", "status", "said", "delayed"}]}
CREATE OR REPLACE FUNCTION apply_bounce(p_inbound_id uuid, p_bounce jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_message inbound_messages;
    v_sent_to text;
    v_address text;
BEGIN
    SELECT * INTO STRICT v_message FROM inbound_messages WHERE id = p_inbound_id;
    SELECT nullif(lower(btrim(a.sent_to)), '') INTO v_sent_to FROM scheduled_actions AS a
    WHERE a.id = v_message.action_id AND a.tenant_id = v_message.tenant_id;

    WITH failures AS (
        SELECT f.* FROM jsonb_to_recordset(p_bounce -> 'failures')
            AS f (recipient text, whose text, cause text, status text, said text, delayed boolean)
        WHERE NOT f.delayed
    ), addressed AS (
        -- Of several that one message brought about, the one of its address counts, else the mildest.
        (SELECT v_sent_to AS address, f.* FROM failures AS f WHERE v_sent_to IS NOT NULL
         ORDER BY f.recipient = regexp_replace(v_sent_to, '^([^+@]+)\+[^@]*@', '\1@') DESC NULLS LAST, f.whose = 'address'
         LIMIT 1)
        UNION ALL
        SELECT DISTINCT ON (c.email) lower(btrim(c.email)), f.* FROM failures AS f
        CROSS JOIN LATERAL contacts_with_address(v_message.tenant_id, f.recipient, f.recipient) AS c
        WHERE v_sent_to IS NULL
    ), explained AS (
        UPDATE scheduled_actions AS a
        SET reason = CASE v_message.kind WHEN 'bounce' THEN 'not delivered: ' ELSE '' END
            || d.cause || coalesce(' (' || d.status || ')', '')
        FROM addressed AS d
        WHERE a.id = v_message.action_id AND a.tenant_id = v_message.tenant_id
    )
    INSERT INTO delivery_failures (
        tenant_id, address, action_id, inbound_message_id, whose, cause, status, said, failed_at)
    SELECT v_message.tenant_id, d.address, v_message.action_id, p_inbound_id, d.whose, d.cause, d.status, d.said,
           v_message.received_at
    FROM addressed AS d;
    FOR v_address IN
        SELECT DISTINCT folded_mailbox(f.address) FROM delivery_failures AS f
        WHERE f.inbound_message_id = p_inbound_id AND v_message.kind = 'complaint'
    LOOP
        PERFORM heed_complaint(v_message, v_address);
    END LOOP;
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

REVOKE ALL ON FUNCTION ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), apply_reply(uuid, jsonb),
    apply_bounce(uuid, jsonb), set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), apply_reply(uuid, jsonb),
    apply_bounce(uuid, jsonb), set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) TO service_role;
