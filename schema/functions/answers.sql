-- What an answer asks for, whatever it is about: who wants no more mail gets none, and what cannot be read reaches a
-- person. What it means for the deal, quote, request or check, its engine decides (NAME_answered).

-- p_action: what the message answers; NULL for a fresh mail, of which only the wish for no more mail is heeded.
-- p_judgement: {"answer", "language", "language_name", "sentiment", "text"}, see workers/inbound/ingest.py
CREATE OR REPLACE FUNCTION heed_answer(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_addresses text[];
    v_cancelled bigint;
BEGIN
    IF p_judgement ->> 'answer' = 'opt_out' THEN
        v_addresses := suppress_writer(p_message, p_action);
        IF v_addresses <> '{}' THEN
            v_cancelled := cancel_mail_to(p_message.tenant_id, v_addresses, 'the customer wants no more mail');
            PERFORM file_answer_task('opt_out', p_message, p_action, p_judgement
                || jsonb_build_object('addresses', v_addresses, 'cancelled', v_cancelled));
        END IF;
    ELSIF p_action.id IS NOT NULL AND (p_judgement ->> 'answer' = 'unreadable' OR p_judgement ->> 'sentiment' IS NULL) THEN
        -- That somebody is unhappy can be told in more languages than are read: then the engine has told a person.
        IF p_judgement ->> 'sentiment' IS NULL OR NOT EXISTS (
            SELECT FROM scheduled_actions AS a
            WHERE a.tenant_id = p_action.tenant_id AND a.subject_type = p_action.subject_type
              AND a.subject_id = p_action.subject_id AND a.kind = 'task' AND a.status IN ('suggested', 'scheduled')
        ) THEN
            PERFORM file_answer_task('answer_unread', p_message, p_action, p_judgement);
        END IF;
    END IF;
END
$$;

-- Suppresses the mailbox of who wants no more mail, in every spelling that its contacts have, and the address that we
-- wrote to. Returns what was not suppressed before.
CREATE OR REPLACE FUNCTION suppress_writer(p_message inbound_messages, p_action scheduled_actions) RETURNS text[]
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH writer AS (
        SELECT regexp_replace(lower(c.email), '^([^+@]+)\+[^@]*@', '\1@') AS mailbox FROM contacts AS c
        WHERE c.id = p_message.contact_id AND c.tenant_id = p_message.tenant_id
    ), suppressed AS (
        INSERT INTO suppressions (tenant_id, address, reason)
        SELECT DISTINCT p_message.tenant_id, lower(btrim(a.address)), 'wants no more mail'
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
        UPDATE scheduled_actions AS a SET status = 'cancelled', reason = p_reason
        WHERE a.tenant_id = p_tenant_id AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled')
          AND lower(btrim(coalesce(
                  (SELECT c.email FROM contacts AS c WHERE c.id = a.contact_id AND c.tenant_id = a.tenant_id), a.recipient)))
              = ANY (p_addresses)
        RETURNING a.id
    )
    SELECT count(*) FROM cancelled
$$;

-- Asks a person to see to an answer: the client's owner, else who is responsible at all. A fresh mail belongs to the
-- engine that wrote to its sender last. An engine that is off by now writes to nobody, but the customer waits.
CREATE OR REPLACE FUNCTION file_answer_task(
    p_template text, p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   contact_id, assigned_to, run_at, status, priority, dedupe_key)
    SELECT p_message.tenant_id, engine.name, 'task', p_template,
           p_judgement || jsonb_build_object(
               'writer', coalesce(p_message.from_name || ' <' || p_message.from_address || '>', p_message.from_address),
               'company', l.company_name, 'subject', p_message.subject,
               'matter', replace(p_action.subject_type, '_', ' '), 'matter_id', p_action.subject_id,
               'sent_on', to_char(p_action.sent_at, 'FMDD FMMonth YYYY')),
           'inbound_message', p_message.id, l.id, coalesce(p_message.contact_id, p_action.contact_id),
           coalesce(w.id, r.id), fleet_now(), coalesce(action_status(p_message.tenant_id, engine.name), 'scheduled'),
           'high',
           -- However often a stranger answers one message of ours, a person hears of it once.
           concat_ws(':', p_template, CASE WHEN p_judgement ->> 'why' = 'stranger' AND p_action.id IS NOT NULL
                                           THEN concat_ws(':', p_action.id, lower(p_message.from_address))
                                           ELSE p_message.id::text END)
    FROM (SELECT coalesce(p_action.engine,
                          (SELECT a.engine FROM scheduled_actions AS a
                           WHERE a.tenant_id = p_message.tenant_id AND a.contact_id = p_message.contact_id
                             AND a.kind = 'email' AND a.status = 'sent'
                           ORDER BY a.sent_at DESC LIMIT 1),
                          (SELECT min(e.name) FROM engines AS e)) AS name) AS engine
    LEFT JOIN clients AS l
        ON l.id = coalesce(p_message.client_id, p_action.client_id) AND l.tenant_id = p_message.tenant_id
    LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = p_message.tenant_id
    LEFT JOIN LATERAL (
        SELECT p.id FROM profiles AS p
        WHERE p.tenant_id = p_message.tenant_id
        ORDER BY array_position(ARRAY['service', 'owner', 'admin', 'manager'], p.role::text) NULLS LAST, p.created_at, p.id
        LIMIT 1
    ) AS r ON true
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
$$;

REVOKE ALL ON FUNCTION heed_answer(inbound_messages, scheduled_actions, jsonb),
    suppress_writer(inbound_messages, scheduled_actions), cancel_mail_to(uuid, text[], text),
    file_answer_task(text, inbound_messages, scheduled_actions, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION heed_answer(inbound_messages, scheduled_actions, jsonb),
    suppress_writer(inbound_messages, scheduled_actions), cancel_mail_to(uuid, text[], text),
    file_answer_task(text, inbound_messages, scheduled_actions, jsonb) TO service_role;
