-- Inbound mail: whose it is, what it answers, and what an answer stops. One message is one call of
-- ingest_message, and all of it happens in that call's transaction or not at all.

-- The e-mail of ours that a message answers, of one tenant or (NULL) of any. Only one that was at least tried
-- can be answered, and another tenant's is never found.
-- p_answered: [{"action", "tenant"}], the likeliest first.
CREATE OR REPLACE FUNCTION answered_action(p_tenant_id uuid, p_answered jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id FROM jsonb_array_elements(p_answered) WITH ORDINALITY AS w (item, ordinal)
    JOIN scheduled_actions AS a
        ON a.id = (w.item ->> 'action')::bigint AND a.tenant_id = (w.item ->> 'tenant')::uuid
    WHERE (p_tenant_id IS NULL OR a.tenant_id = p_tenant_id) AND a.kind = 'email'
      AND (a.attempts > 0 OR a.status = 'sent' OR a.message_id IS NOT NULL)
    ORDER BY w.ordinal LIMIT 1
$$;

-- The tenant that one of these addresses, the first of them that is listed, belongs to.
CREATE OR REPLACE FUNCTION mailbox_tenant(p_recipients text[]) RETURNS uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT m.tenant_id FROM unnest(p_recipients) WITH ORDINALITY AS r (address, ordinal)
    JOIN tenant_mailboxes AS m ON m.address IN (r.address, substring(r.address FROM '@[^@]*$'))
    ORDER BY r.ordinal, m.address LIKE '@%' LIMIT 1
$$;

-- The tenant a mail is for: by the mailbox it reached, else by the message of ours that it answers, else by
-- the address one tenant alone sends from. NULL: nobody we know.
-- p_recipients: addresses in lower case, the envelope's before the headers'; p_answered: as for answered_action.
CREATE OR REPLACE FUNCTION inbound_tenant(p_recipients text[], p_answered jsonb) RETURNS uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce(
        mailbox_tenant(p_recipients),
        (SELECT a.tenant_id FROM scheduled_actions AS a WHERE a.id = answered_action(NULL, p_answered)),
        (SELECT min(y.tenant_id::text)::uuid FROM tenant_delivery AS y
         WHERE lower(btrim(y.from_address)) = ANY (p_recipients) HAVING count(*) = 1))
$$;

-- Contacts whose address, case and plus-tag folded, is p_folded, the surest first: who bears it as it is
-- written, then primary contacts, then the eldest.
CREATE OR REPLACE FUNCTION contacts_with_address(p_tenant_id uuid, p_folded text, p_written text)
RETURNS TABLE (contact_id uuid, client_id uuid, email text)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT c.id, c.client_id, c.email FROM contacts AS c
    WHERE c.tenant_id = p_tenant_id AND regexp_replace(lower(c.email), '^([^+@]+)\+[^@]*@', '\1@') = p_folded
    ORDER BY lower(c.email) = lower(p_written) DESC, c.is_primary DESC, c.created_at, c.id
$$;

-- Stores a message and does what follows from it; the same message again changes nothing. Two workers with
-- one message meet at the unique Message-ID: the second waits there, and finds it stored.
-- p_message: the columns of inbound_messages, and "folded" (the sender) and "recipients";
-- p_judgement: what the writer wants and feels, see apply_reply; p_bounce: see apply_bounce.
CREATE OR REPLACE FUNCTION ingest_message(
    p_fingerprint text, p_tenant_id uuid, p_message jsonb, p_answered jsonb, p_judgement jsonb, p_bounce jsonb
) RETURNS TABLE (outcome text, tenant_id uuid, inbound_id uuid, kind text, action_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := coalesce(p_tenant_id, inbound_tenant(
        ARRAY(SELECT jsonb_array_elements_text(p_message -> 'recipients')), p_answered));
    v_action constant bigint := answered_action(v_tenant, p_answered);
    v_id uuid;
    v_kind text := p_message ->> 'kind';
BEGIN
    IF v_tenant IS NULL THEN
        RETURN QUERY SELECT 'unknown', NULL::uuid, NULL::uuid, NULL::text, NULL::bigint;
        RETURN;
    END IF;
    IF v_kind = 'reply' AND v_action IS NULL THEN
        v_kind := 'message';
    END IF;

    INSERT INTO inbound_messages (
        tenant_id, message_id, in_reply_to, reference_ids, from_address, from_name, to_addresses, subject, sent_at,
        text, html, headers, raw_size, kind, contact_id, client_id, action_id, received_at)
    SELECT v_tenant, m.message_id, m.in_reply_to, m.reference_ids, m.from_address, m.from_name, m.to_addresses, m.subject,
           m.sent_at, m.text, m.html, m.headers, m.raw_size, v_kind, c.contact_id, coalesce(c.client_id, a.client_id),
           v_action, fleet_now()
    FROM jsonb_to_record(p_message) AS m (
        message_id text, in_reply_to text, reference_ids text[], from_address text, from_name text, to_addresses text[],
        subject text, sent_at timestamptz, text text, html text, headers jsonb, raw_size integer, folded text)
    LEFT JOIN LATERAL (
        SELECT * FROM contacts_with_address(v_tenant, m.folded, m.from_address) LIMIT 1
    ) AS c ON true
    -- An action may name a client that is gone by now.
    LEFT JOIN LATERAL (
        SELECT l.id AS client_id FROM scheduled_actions AS x
        JOIN clients AS l ON l.id = x.client_id AND l.tenant_id = v_tenant
        WHERE x.id = v_action
    ) AS a ON true
    ON CONFLICT ON CONSTRAINT inbound_messages_tenant_id_message_id_key DO NOTHING
    RETURNING id INTO v_id;

    -- It was set aside before, for nobody we knew then perhaps.
    DELETE FROM inbound_rejects AS r WHERE r.fingerprint = p_fingerprint;

    IF v_id IS NOT NULL AND v_kind = 'reply' THEN
        PERFORM apply_reply(v_id, p_judgement);
    ELSIF v_id IS NOT NULL AND v_kind = 'message' THEN
        PERFORM heed_answer(m, NULL, p_judgement) FROM inbound_messages AS m
        WHERE m.id = v_id AND m.contact_id IS NOT NULL;
    ELSIF v_id IS NOT NULL AND v_kind IN ('bounce', 'complaint') THEN
        PERFORM apply_bounce(v_id, p_bounce);
    END IF;
    RETURN QUERY SELECT CASE WHEN v_id IS NULL THEN 'duplicate' ELSE 'stored' END, v_tenant, v_id, v_kind, v_action;
END
$$;

-- Tells the engine whose message a stored reply answers. The engine locks its subject's row before it cancels what is
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
BEGIN
    SELECT * INTO STRICT v_message FROM inbound_messages WHERE id = p_inbound_id;
    SELECT * INTO STRICT v_action FROM scheduled_actions
    WHERE id = v_message.action_id AND tenant_id = v_message.tenant_id;
    IF EXISTS (SELECT FROM engines AS e WHERE e.name = v_action.engine) THEN
        EXECUTE format('SELECT %I($1, $2, $3)', v_action.engine || '_answered') USING v_message, v_action, p_judgement;
    END IF;
    PERFORM heed_answer(v_message, v_action, p_judgement);
END
$$;

-- A bounce or a complaint: the action keeps why it did not arrive, and what failed is noted, which suppresses what is
-- dead (see failures.sql). Whoever is named beside the address that we wrote to is its owner's business. A report that
-- names none of our messages is believed only about the tenant's own contacts. A delay is no failure yet.
-- p_bounce: {"failures": [{"recipient" (folded), "whose", "cause", "status", "said", "delayed"}]}
CREATE OR REPLACE FUNCTION apply_bounce(p_inbound_id uuid, p_bounce jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_message inbound_messages;
    v_sent_to text;
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

REVOKE ALL ON FUNCTION mailbox_tenant(text[]), inbound_tenant(text[], jsonb), answered_action(uuid, jsonb),
    contacts_with_address(uuid, text, text), ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), apply_reply(uuid, jsonb),
    apply_bounce(uuid, jsonb), set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION mailbox_tenant(text[]), inbound_tenant(text[], jsonb), answered_action(uuid, jsonb),
    contacts_with_address(uuid, text, text), ingest_message(text, uuid, jsonb, jsonb, jsonb, jsonb), apply_reply(uuid, jsonb),
    apply_bounce(uuid, jsonb), set_aside_message(text, text, text, text, bigint), list_set_aside(integer),
    imap_position(text, bigint), advance_imap_position(text, bigint, bigint) TO service_role;
