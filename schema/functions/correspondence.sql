-- Who writes to whom about what: whose a message is, which message of ours it answers, and who may answer it.
-- Nothing here changes a row.

-- The e-mail of ours that a message answers, of one tenant or (NULL) of any. Only one that was at least tried
-- can be answered, and another tenant's is never found. What carries no genuine signature counts only if it was sent
-- under that very Message-ID, as those of earlier releases were.
-- p_answered: [{"action", "tenant", "name", "genuine", "direct"}], the likeliest first. tenant may be null; name is
-- what stands before the @; direct says that the mail is an answer by its headers, see inbound_tenant.
CREATE OR REPLACE FUNCTION answered_action(p_tenant_id uuid, p_answered jsonb) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id FROM jsonb_array_elements(p_answered) WITH ORDINALITY AS w (item, ordinal)
    JOIN scheduled_actions AS a
        ON a.id = (w.item ->> 'action')::bigint AND a.tenant_id = coalesce((w.item ->> 'tenant')::uuid, a.tenant_id)
    WHERE (p_tenant_id IS NULL OR a.tenant_id = p_tenant_id) AND a.kind = 'email'
      AND (a.attempts > 0 OR a.status = 'sent' OR a.message_id IS NOT NULL)
      AND (coalesce((w.item ->> 'genuine')::boolean, false)
           OR split_part(btrim(lower(a.message_id), '<>'), '@', 1)
              = coalesce(w.item ->> 'name', format('action.%s.%s', a.id, replace(a.tenant_id::text, '-', ''))))
    ORDER BY w.ordinal LIMIT 1
$$;

-- The e-mails of ours, one of each subject and the last sent first, that somebody may be answering whose mail
-- names none, because a relay replaced our Message-IDs: sent to that address within 90 days, under that subject (NULL
-- where it was sent by an earlier release), about something that is still open; else, under that very subject, about
-- what is over.
-- p_sender: folded; p_subject: without its "Re:", in lower case; NULL finds nothing.
CREATE OR REPLACE FUNCTION actions_by_subject(p_tenant_id uuid, p_sender text, p_subject text) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    WITH written AS (
        SELECT a.* FROM scheduled_actions AS a
        WHERE p_subject IS NOT NULL AND a.tenant_id = p_tenant_id AND a.kind = 'email' AND a.status = 'sent'
          AND regexp_replace(lower(a.sent_to), '^([^+@]+)\+[^@]*@', '\1@') = p_sender
          AND a.sent_at > fleet_now() - interval '90 days'
          AND (a.sent_subject IS NULL OR regexp_replace(lower(regexp_replace(btrim(a.sent_subject), '\s+', ' ', 'g')), '^re: ', '') = p_subject)
    ), sent AS (
        SELECT w.*, g.verdict IS DISTINCT FROM 'cancelled' AS is_open
        FROM written AS w
        JOIN action_guards(ARRAY(SELECT id FROM written)) AS g ON g.action_id = w.id
    )
    SELECT (array_agg(s.id ORDER BY s.sent_at DESC, s.id DESC))[1] FROM sent AS s
    WHERE s.is_open OR (s.sent_subject IS NOT NULL AND NOT EXISTS (SELECT FROM sent AS o WHERE o.is_open))
    GROUP BY s.subject_type, s.subject_id
    ORDER BY max(s.sent_at) DESC, 1 DESC
$$;

-- The tenant that one of these addresses, the first of them that is listed, belongs to.
CREATE OR REPLACE FUNCTION mailbox_tenant(p_recipients text[]) RETURNS uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT m.tenant_id FROM unnest(p_recipients) WITH ORDINALITY AS r (address, ordinal)
    JOIN tenant_mailboxes AS m ON m.address IN (r.address, substring(r.address FROM '@[^@]*$'))
    ORDER BY r.ordinal, m.address LIKE '@%' LIMIT 1
$$;

-- The tenant a mail is for: by the message of ours that its headers answer, else by the mailbox it reached, else
-- by a message that it only quotes, else by the address one tenant alone sends from. NULL: nobody we know.
-- p_recipients: addresses in lower case, the envelope's before the headers'; p_answered: as for answered_action.
CREATE OR REPLACE FUNCTION inbound_tenant(p_recipients text[], p_answered jsonb) RETURNS uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce(
        (SELECT a.tenant_id FROM scheduled_actions AS a
         WHERE a.id = answered_action(NULL, jsonb_path_query_array(p_answered, '$[*] ? (!(@.direct == false))'))),
        mailbox_tenant(p_recipients),
        (SELECT a.tenant_id FROM scheduled_actions AS a WHERE a.id = answered_action(NULL, p_answered)),
        (SELECT min(y.tenant_id::text)::uuid FROM tenant_delivery AS y
         WHERE lower(btrim(y.from_address)) = ANY (p_recipients) HAVING count(*) = 1))
$$;

-- Contacts whose address, case and plus-tag folded, is p_folded, the surest first: who was not deleted, who bears it as it
-- is written, then primary contacts, then the eldest.
CREATE OR REPLACE FUNCTION contacts_with_address(p_tenant_id uuid, p_folded text, p_written text)
RETURNS TABLE (contact_id uuid, client_id uuid, email text)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT c.id, c.client_id, c.email FROM contacts AS c
    WHERE c.tenant_id = p_tenant_id AND regexp_replace(lower(c.email), '^([^+@]+)\+[^@]*@', '\1@') = p_folded
    ORDER BY is_gone(to_jsonb(c)), lower(c.email) = lower(p_written) DESC, c.is_primary DESC, c.created_at, c.id
$$;

-- An address for comparing: case, plus-tag and display name do not matter.
CREATE OR REPLACE FUNCTION folded_address(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT folded_mailbox(coalesce(substring(p_address FROM '<([^<>]*)>'), p_address))
$$;

-- What an address is to the tenant: a mailbox (it is listed, or mail is sent from it), a profile's, of a domain that is
-- listed whole, or NULL: somebody else's.
CREATE OR REPLACE FUNCTION own_address(p_tenant_id uuid, p_address text) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN EXISTS (SELECT FROM tenant_mailboxes AS m WHERE m.tenant_id = p_tenant_id
                     AND m.address IN (lower(p_address), folded_address(p_address)))
          OR EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = p_tenant_id
                     AND folded_address(y.from_address) = folded_address(p_address)) THEN 'mailbox'
        WHEN EXISTS (SELECT FROM profiles AS p WHERE p.tenant_id = p_tenant_id
                     AND folded_address(p.email) = folded_address(p_address)) THEN 'profile'
        WHEN EXISTS (SELECT FROM tenant_mailboxes AS m WHERE m.tenant_id = p_tenant_id
                     AND m.address = substring(lower(p_address) FROM '@[^@]*$')) THEN 'domain'
    END
$$;

-- Whether somebody may answer an e-mail of ours: its recipient, a contact of the same client, or a colleague, whose
-- address is in the same company's domain. Of everybody else's answer nothing follows by itself.
-- p_sender: folded.
CREATE OR REPLACE FUNCTION may_answer(p_action_id bigint, p_sender text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce(bool_or(
        w.address = p_sender OR w.domain = s.company
        OR right(w.domain, length(s.company) + 1) = '.' || s.company
        OR right(s.company, length(w.domain) + 1) = '.' || w.domain), false)
    FROM scheduled_actions AS a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p_sender LIKE '%@%.%' AND NOT is_shared_domain(split_part(p_sender, '@', 2))
                    THEN split_part(p_sender, '@', 2) END AS company
    ) AS s
    LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT f.address, nullif(split_part(f.address, '@', 2), '') AS domain
        FROM (SELECT folded_address(coalesce(a.sent_to, c.email, a.recipient)) AS address
              UNION ALL
              SELECT folded_address(o.email) FROM contacts AS o
              WHERE o.client_id = coalesce(a.client_id, c.client_id) AND o.tenant_id = a.tenant_id) AS f
    ) AS w
    WHERE a.id = p_action_id
$$;

-- Who wrote a mail, of those who may have: the first if he is a person of the tenant's own; else who is none of its own
-- and may answer the action; else who is none of its own; else the first. own says what that address is to the tenant,
-- see own_address; its own people are heard like others where the message went to them.
-- p_senders: [{"address", "name", "folded", "is_fleet"}], see workers/inbound/answers.py.
CREATE OR REPLACE FUNCTION inbound_sender(p_tenant_id uuid, p_action_id bigint, p_senders jsonb)
RETURNS TABLE (address text, name text, folded text, own text, places boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT s.address, s.name, s.folded, o.own, o.places
    FROM jsonb_array_elements(p_senders) WITH ORDINALITY AS w (item, ordinal)
    CROSS JOIN LATERAL jsonb_to_record(w.item)
        AS s (address text, name text, folded text, is_fleet boolean)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN s.is_fleet THEN 'mailbox' ELSE own_address(p_tenant_id, s.address) END AS own,
               p_action_id IS NOT NULL AND may_answer(p_action_id, s.folded) AS places,
               EXISTS (SELECT FROM scheduled_actions AS a
                       WHERE a.id = p_action_id AND folded_address(a.sent_to) = s.folded) AS asked
    ) AS k
    CROSS JOIN LATERAL (SELECT CASE WHEN k.own = 'mailbox' OR NOT k.asked THEN k.own END AS own, k.places) AS o
    ORDER BY w.ordinal = 1 AND o.own IS NOT DISTINCT FROM 'profile' DESC, o.own IS NULL AND o.places DESC,
             o.own IS NULL DESC, w.ordinal
    LIMIT 1
$$;

-- Whether a mail is one that the tenant has, come in a second time: the same sender, date, subject and body. To one of
-- the two a list or a mail server may have added what they are known to add: a tag before the subject, a footer behind a
-- ruled line, a warning of a stranger above the text. Whatever else is longer is another mail.
-- p_message: as for ingest_message.
CREATE OR REPLACE FUNCTION is_same_mail(p_stored inbound_messages, p_sender text, p_message jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT p_stored.sent_at IS NOT DISTINCT FROM (p_message ->> 'sent_at')::timestamptz
       AND (p_stored.digest IS NULL
            OR folded_address(p_stored.from_address) IS NOT DISTINCT FROM p_sender
               AND right(w.longer_subject, length(w.shorter_subject)) = w.shorter_subject
               AND (p_stored.digest = p_message ->> 'digest'
                    OR w.shorter <> '' AND position(w.shorter IN w.longer) > 0
                       AND split_part(w.longer, w.shorter, 2) ~ '^([-_=*#~]{2}|$)'
                       AND split_part(w.longer, w.shorter, 1) ~* '^$|extern|outside|caution|warning|vorsicht|attention'))
    FROM (SELECT regexp_replace(coalesce(nullif(p_stored.text, ''), p_stored.html, ''), '\s+', '', 'g') AS stored,
                 regexp_replace(coalesce(nullif(p_message ->> 'text', ''), p_message ->> 'html', ''), '\s+', '', 'g')
                     AS new,
                 coalesce(p_stored.subject, '') AS stored_subject, coalesce(p_message ->> 'subject', '') AS new_subject
         ) AS t
    CROSS JOIN LATERAL (
        SELECT CASE WHEN length(t.stored) < length(t.new) THEN t.stored ELSE t.new END AS shorter,
               CASE WHEN length(t.stored) < length(t.new) THEN t.new ELSE t.stored END AS longer,
               CASE WHEN length(t.stored_subject) < length(t.new_subject) THEN t.stored_subject ELSE t.new_subject END
                   AS shorter_subject,
               CASE WHEN length(t.stored_subject) < length(t.new_subject) THEN t.new_subject ELSE t.stored_subject END
                   AS longer_subject
    ) AS w
$$;

REVOKE ALL ON FUNCTION answered_action(uuid, jsonb), actions_by_subject(uuid, text, text), mailbox_tenant(text[]),
    inbound_tenant(text[], jsonb), contacts_with_address(uuid, text, text), folded_address(text), own_address(uuid, text),
    may_answer(bigint, text), inbound_sender(uuid, bigint, jsonb), is_same_mail(inbound_messages, text, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION answered_action(uuid, jsonb), actions_by_subject(uuid, text, text), mailbox_tenant(text[]),
    inbound_tenant(text[], jsonb), contacts_with_address(uuid, text, text), folded_address(text), own_address(uuid, text),
    may_answer(bigint, text), inbound_sender(uuid, bigint, jsonb), is_same_mail(inbound_messages, text, jsonb) TO service_role;
