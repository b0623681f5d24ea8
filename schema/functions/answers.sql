-- What an answer asks for, whatever it is about: who wants no more mail gets none, whoever writes is answered by a person,
-- and nothing more is sent to him until then. What it means for the deal, quote, request or check, its engine decides
-- (NAME_answered, NAME_heard); where the mail itself goes on to, forwarding.sql.

-- p_action: what the message answers; NULL for a fresh mail, and for one that nobody can place.
-- p_judgement: {"answer", "language", "language_name", "sentiment", "text"}, see workers/inbound/ingest.py
CREATE OR REPLACE FUNCTION heed_answer(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_addresses text[];
    v_cancelled bigint;
    v_task bigint;
BEGIN
    IF p_judgement ->> 'answer' = 'opt_out' THEN
        v_addresses := suppress_writer(p_message, p_action);
        IF v_addresses <> '{}' THEN
            v_cancelled := cancel_mail_to(p_message.tenant_id, v_addresses, 'the customer wants no more mail');
            v_task := file_answer_task('opt_out', p_message, p_action, p_judgement
                || jsonb_build_object('addresses', v_addresses, 'cancelled', v_cancelled));
        END IF;
        PERFORM hold_series(p_message, p_judgement);
    ELSIF p_action.id IS NULL THEN
        IF hold_series(p_message, p_judgement) AND p_message.kind = 'message' THEN
            v_task := file_answer_task('answer_received', p_message, p_action, p_judgement);
        END IF;
    ELSE
        v_task := (
            SELECT max(a.id) FROM scheduled_actions AS a
            WHERE a.tenant_id = p_action.tenant_id AND a.subject_type = p_action.subject_type
              AND a.subject_id = p_action.subject_id AND a.kind = 'task' AND a.status IN ('suggested', 'scheduled'));
        -- That somebody is unhappy can be told in more languages than are read: then the engine has told a person.
        IF p_judgement ->> 'sentiment' IS NULL OR v_task IS NULL THEN
            v_task := file_answer_task(
                CASE WHEN p_judgement ->> 'answer' = 'unreadable' OR p_judgement ->> 'sentiment' IS NULL THEN 'answer_unread'
                     ELSE 'answer_received' END, p_message, p_action, p_judgement);
        END IF;
    END IF;
    IF v_task IS NOT NULL OR p_action.id IS NOT NULL THEN
        PERFORM forward_answer(p_message, p_action, p_judgement, v_task);
    END IF;
END
$$;

-- Somebody reported a message of ours as spam, and is suppressed for it: all series of his mailbox end, what waits for it is
-- cancelled, and a person hears of it, once.
-- p_message: the report; p_address: the mailbox of whoever complained.
CREATE OR REPLACE FUNCTION heed_complaint(p_message inbound_messages, p_address text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_writer inbound_messages := p_message;
    v_action scheduled_actions;
    v_cancelled bigint;
BEGIN
    IF EXISTS (SELECT FROM delivery_failures AS f
               WHERE f.tenant_id = p_message.tenant_id AND folded_mailbox(f.address) = p_address AND f.whose = 'address'
                 AND f.inbound_message_id <> p_message.id) THEN
        RETURN;
    END IF;
    SELECT * INTO v_action FROM scheduled_actions AS a WHERE a.id = p_message.action_id AND a.tenant_id = p_message.tenant_id;
    v_writer.from_address := p_address;
    v_writer.from_name := NULL;
    v_writer.client_id := NULL;  -- his colleagues did not complain
    v_writer.contact_id := (SELECT c.contact_id FROM contacts_with_address(p_message.tenant_id, p_address, p_address) AS c LIMIT 1);
    v_cancelled := cancel_mail_to(p_message.tenant_id, ARRAY[p_address], 'the customer reported us as spam');
    PERFORM hold_series(v_writer, '{"answer": "opt_out"}');
    PERFORM file_answer_task('opt_out', v_writer, v_action, jsonb_build_object(
        'answer', 'opt_out', 'text', NULL, 'complained', true, 'addresses', ARRAY[p_address], 'cancelled', v_cancelled));
END
$$;

-- Lets every series that writes to this mailbox wait for a person, or end where its owner has decided; whether there was
-- one.
CREATE OR REPLACE FUNCTION hold_series(p_message inbound_messages, p_judgement jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_engine text;
    v_held boolean := false;
    v_some boolean;
BEGIN
    FOR v_engine IN
        SELECT e.name FROM engines AS e
        WHERE to_regprocedure(e.name || '_heard(inbound_messages, jsonb)') IS NOT NULL ORDER BY e.name
    LOOP
        EXECUTE format('SELECT count(*) > 0 FROM %I($1, $2)', v_engine || '_heard') INTO v_some USING p_message, p_judgement;
        v_held := v_held OR v_some;
    END LOOP;
    UPDATE scheduled_actions AS a SET status = 'cancelled', reason = 'the customer wrote', code = 'answered'
    WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
      AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled')
      AND to_regprocedure(a.engine || '_heard(inbound_messages, jsonb)') IS NOT NULL;
    RETURN v_held;
END
$$;

-- Suppresses the mailbox of who wants no more mail, in every spelling that its contacts have, and the address that we
-- wrote to. Returns what was not suppressed before.
CREATE OR REPLACE FUNCTION suppress_writer(p_message inbound_messages, p_action scheduled_actions) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH writer AS (
        SELECT folded_mailbox(c.email) AS mailbox FROM contacts AS c
        WHERE c.id = p_message.contact_id AND c.tenant_id = p_message.tenant_id
    ), suppressed AS (
        INSERT INTO suppressions (tenant_id, address, reason, created_at)
        SELECT DISTINCT p_message.tenant_id, lower(btrim(a.address)), 'wants no more mail', fleet_now()
        FROM (SELECT coalesce(p_action.sent_to, c.email, p_action.recipient) AS address
              FROM (SELECT) AS one
              LEFT JOIN contacts AS c ON c.id = p_action.contact_id AND c.tenant_id = p_message.tenant_id
              UNION ALL SELECT w.mailbox FROM writer AS w
              UNION ALL SELECT c.email
              FROM writer AS w, contacts_with_address(p_message.tenant_id, w.mailbox, w.mailbox) AS c) AS a
        WHERE btrim(a.address) <> ''
        ON CONFLICT (tenant_id, address) DO NOTHING
        RETURNING address
    )
    SELECT coalesce(array_agg(s.address ORDER BY s.address), '{}') FROM suppressed AS s
$$;

-- Cancels every e-mail that waits to go to one of these addresses (in lower case), whatever it is about; returns how many.
CREATE OR REPLACE FUNCTION cancel_mail_to(p_tenant_id uuid, p_addresses text[], p_reason text) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH cancelled AS (
        UPDATE scheduled_actions AS a SET status = 'cancelled', reason = p_reason, code = 'opted_out'
        WHERE a.tenant_id = p_tenant_id AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled')
          AND lower(btrim(coalesce(
                  (SELECT c.email FROM contacts AS c WHERE c.id = a.contact_id AND c.tenant_id = a.tenant_id), a.recipient)))
              = ANY (p_addresses)
        RETURNING a.id
    )
    SELECT count(*) FROM cancelled
$$;

-- Whom an answer concerns, and what he has to know of it: whose matter it is, else the client's owner, else who is
-- responsible at all. A fresh mail belongs to the engine that wrote to its sender last.
CREATE OR REPLACE FUNCTION answer_context(p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb)
RETURNS TABLE (engine text, client_id uuid, assigned_to uuid, variables jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT coalesce(p_action.engine, written.engine, (SELECT min(e.name) FROM engines AS e)), l.id,
           coalesce(o.id, w.id, responsible_profile(p_message.tenant_id, 'service')),
           p_judgement || jsonb_build_object(
               'writer', coalesce(p_message.from_name || ' <' || p_message.from_address || '>', p_message.from_address),
               'company', l.company_name, 'subject', p_message.subject,
               'matter', replace(about.subject_type, '_', ' '), 'matter_id', about.subject_id,
               'title', coalesce(about.variables ->> 'quote_number', about.variables ->> 'deal',
                                 about.variables ->> 'order_number', about.variables ->> 'compliance_type'),
               'sent_on', to_char(p_action.sent_at AT TIME ZONE tenant_zone(p_message.tenant_id), 'FMDD FMMonth YYYY'))
    FROM (SELECT) AS one
    LEFT JOIN LATERAL (
        SELECT a.id, a.engine FROM scheduled_actions AS a
        WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
          AND a.status = 'sent' AND a.kind = 'email'
        ORDER BY a.sent_at DESC LIMIT 1
    ) AS written ON true
    LEFT JOIN scheduled_actions AS about ON about.id = coalesce(p_action.id, written.id)
    LEFT JOIN clients AS l
        ON l.id = coalesce(p_message.client_id, p_action.client_id) AND l.tenant_id = p_message.tenant_id
    LEFT JOIN profiles AS o ON o.id = about.assigned_to AND o.tenant_id = p_message.tenant_id AND NOT is_gone(to_jsonb(o))
    LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = p_message.tenant_id AND NOT is_gone(to_jsonb(w))
$$;

-- Asks a person to see to an answer, and returns the task; NULL where there was one already. An engine that is off by now
-- writes to nobody, but the customer waits. What one person writes about one matter until its task of the day is filed is
-- one task, which says how many mails there were.
CREATE OR REPLACE FUNCTION file_answer_task(
    p_template text, p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO scheduled_actions AS x (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                        contact_id, assigned_to, run_at, status, priority, dedupe_key)
    SELECT p_message.tenant_id, c.engine, 'task', p_template, c.variables || '{"more": null}', 'inbound_message', p_message.id, c.client_id,
           coalesce(p_message.contact_id, p_action.contact_id), c.assigned_to, fleet_now(),
           'scheduled', 'high',  -- a customer waits: that is not for review
           concat_ws(':', p_template, CASE
               -- However often a stranger answers one message of ours, a person hears of it once.
               WHEN p_judgement ->> 'why' = 'stranger' AND p_action.id IS NOT NULL
                   THEN concat_ws(':', p_action.id, lower(p_message.from_address))
               WHEN p_template = 'answer_received' AND coalesce(earlier.status, 'scheduled') IN ('suggested', 'scheduled')
                   THEN thread.key
               ELSE p_message.id::text END)
    FROM answer_context(p_message, p_action, p_judgement) AS c
    CROSS JOIN LATERAL (
        SELECT concat_ws(':', folded_mailbox(p_message.from_address), p_action.subject_id, tenant_today(p_message.tenant_id)) AS key
    ) AS thread
    LEFT JOIN LATERAL (  -- what was filed already cannot be added to: another mail is another task
        SELECT f.status FROM scheduled_actions AS f
        WHERE f.tenant_id = p_message.tenant_id AND f.dedupe_key = p_template || ':' || thread.key
    ) AS earlier ON true
    ON CONFLICT (tenant_id, dedupe_key) DO UPDATE
        SET variables = x.variables || jsonb_build_object('more', coalesce((x.variables ->> 'more')::integer, 0) + 1)
        WHERE x.status IN ('suggested', 'scheduled') AND x.template = 'answer_received'
    RETURNING x.id
$$;

REVOKE ALL ON FUNCTION heed_answer(inbound_messages, scheduled_actions, jsonb), hold_series(inbound_messages, jsonb),
    suppress_writer(inbound_messages, scheduled_actions), cancel_mail_to(uuid, text[], text),
    answer_context(inbound_messages, scheduled_actions, jsonb), heed_complaint(inbound_messages, text),
    file_answer_task(text, inbound_messages, scheduled_actions, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION heed_answer(inbound_messages, scheduled_actions, jsonb), hold_series(inbound_messages, jsonb),
    suppress_writer(inbound_messages, scheduled_actions), cancel_mail_to(uuid, text[], text),
    answer_context(inbound_messages, scheduled_actions, jsonb), heed_complaint(inbound_messages, text),
    file_answer_task(text, inbound_messages, scheduled_actions, jsonb) TO service_role;
