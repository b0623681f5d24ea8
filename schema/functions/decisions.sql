-- What people see of the outbox, and decide about it by hand.

-- A tenant's actions (NULL: every tenant's) that go or went to a mailbox, whoever bears it: a contact, somebody who is
-- none, or whoever had the address when it was sent.
CREATE OR REPLACE FUNCTION actions_to(p_tenant_id uuid, p_address text) RETURNS SETOF bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT found.id FROM tenants AS t
    CROSS JOIN LATERAL (
        SELECT a.id FROM contacts_with_address(t.id, folded_address(p_address), p_address) AS c
        JOIN scheduled_actions AS a ON a.contact_id = c.contact_id AND a.tenant_id = t.id
        UNION
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.tenant_id = t.id AND a.recipient IS NOT NULL
          AND folded_mailbox(a.recipient) = folded_address(p_address)
        UNION
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.tenant_id = t.id AND a.kind = 'email' AND a.status = 'sent'
          AND regexp_replace(lower(a.sent_to), '^([^+@]+)\+[^@]*@', '\1@') = folded_address(p_address)
    ) AS found
    WHERE p_tenant_id IS NULL OR t.id = p_tenant_id
$$;

-- The ids of the actions that a filter lets through. Written out for each filter, so that each gets a plan of its own; the
-- statuses as an array that the planner can read, or it would know of no partial index.
-- p_filter: any of {"ids": [], "tenant", "engine", "status": [], "template", "contact": an address or a contact's id,
--           "error": part of the reason or the error, "since", "until": sent, or to be sent, from then or before then,
--           "subject": the id of what it is about, "before", "after": only older or newer ones than this id, "newest", "oldest": so
--           many at most, "most": so many, whichever}
CREATE OR REPLACE FUNCTION find_actions(p_filter jsonb) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_conditions text;
BEGIN
    SELECT string_agg(c.condition, ' AND ') INTO v_conditions
    FROM (VALUES
        ('ids',      'a.id IN (SELECT jsonb_array_elements_text($1 -> ''ids'')::bigint)'),
        ('tenant',   'a.tenant_id = ($1 ->> ''tenant'')::uuid'),
        ('engine',   'a.engine = $1 ->> ''engine'''),
        ('status',   'a.status = ANY (string_to_array(translate($1 ->> ''status'', ''[]" '', ''''), '',''))'),
        ('subject',  'a.subject_id = ($1 ->> ''subject'')::uuid'),
        ('before',   'a.id < ($1 ->> ''before'')::bigint'),
        ('after',    'a.id > ($1 ->> ''after'')::bigint'),
        ('template', 'a.template = $1 ->> ''template'''),
        ('contact',  CASE WHEN p_filter ->> 'contact' LIKE '%@%'
                          THEN 'a.id IN (SELECT actions_to(($1 ->> ''tenant'')::uuid, $1 ->> ''contact''))'
                          ELSE 'a.contact_id = ($1 ->> ''contact'')::uuid' END),
        ('error',    'position(lower($1 ->> ''error'') IN lower(concat_ws('' '', a.reason, a.last_error))) > 0'),
        ('since',    'coalesce(a.sent_at, a.run_at) >= ($1 ->> ''since'')::timestamptz'),
        ('until',    'coalesce(a.sent_at, a.run_at) < ($1 ->> ''until'')::timestamptz')
    ) AS c (key, condition)
    WHERE p_filter ? c.key;
    RETURN QUERY EXECUTE 'SELECT a.id FROM scheduled_actions AS a WHERE ' || coalesce(v_conditions, 'true')
        || CASE WHEN p_filter ? 'newest' THEN ' ORDER BY a.id DESC LIMIT ($1 ->> ''newest'')::integer'
                WHEN p_filter ? 'oldest' THEN ' ORDER BY a.id LIMIT ($1 ->> ''oldest'')::integer'
                WHEN p_filter ? 'most' THEN ' LIMIT ($1 ->> ''most'')::integer' ELSE '' END
    USING p_filter;
END
$$;

-- The newest actions of a filter (see find_actions); total counts all of them. address is where it went or would go; refused
-- is why one that has not left would not leave now; is_as_sent: whether the text that was kept still has the hash that it was
-- sent with.
CREATE OR REPLACE FUNCTION list_actions(p_filter jsonb, p_limit integer) RETURNS TABLE (
    action_id bigint, tenant_id uuid, tenant_name text, engine text, kind text, template text, variables jsonb, address text,
    status text, reason text, code text, refused text, attempts integer, last_error text, run_at timestamptz, sent_at timestamptz,
    created_at timestamptz, subject_type text, subject_id uuid, client_id uuid, contact_id uuid, run_id bigint,
    message_id text, sent_subject text, sent_body text, text_version text, sent_hash text, is_as_sent boolean, guards jsonb,
    total bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH found AS MATERIALIZED (
        SELECT f AS id, count(*) OVER () AS total FROM find_actions(p_filter) AS f ORDER BY f DESC LIMIT p_limit
    )
    SELECT a.id, a.tenant_id, t.name::text, a.engine, a.kind, a.template, a.variables, coalesce(a.sent_to, g.address),
           a.status, a.reason, a.code, CASE WHEN a.status IN ('suggested', 'scheduled', 'failed', 'dead') THEN g.reason END,
           a.attempts, a.last_error, a.run_at, a.sent_at, a.created_at, a.subject_type, a.subject_id, a.client_id,
           a.contact_id, a.run_id, a.message_id, a.sent_subject, a.sent_body, a.text_version, a.sent_hash,
           a.sent_hash = text_hash(a.sent_subject, a.sent_body), a.guards, f.total
    FROM found AS f
    JOIN scheduled_actions AS a ON a.id = f.id
    JOIN tenants AS t ON t.id = a.tenant_id
    JOIN action_guards(ARRAY(SELECT id FROM found)) AS g ON g.action_id = a.id
    ORDER BY a.id DESC
$$;

-- The statuses in which an action can be approved, cancelled, tried again, edited or put off.
CREATE OR REPLACE FUNCTION decidable_statuses(p_decision text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp
AS $$
BEGIN
    CASE p_decision
        WHEN 'approve' THEN RETURN '{suggested}';
        WHEN 'retry' THEN RETURN '{failed, dead}';
        WHEN 'snooze' THEN RETURN '{suggested, scheduled}';
        WHEN 'cancel', 'edit' THEN RETURN '{suggested, scheduled, failed, dead}';
    END CASE;
EXCEPTION WHEN case_not_found THEN
    RAISE EXCEPTION 'decision is %, it must be approve, cancel, retry, edit or snooze', p_decision
        USING ERRCODE = 'invalid_parameter_value';
END
$$;

-- What a decision about these actions would mean: which of them it is possible for (decidable), how many messages to how
-- many people and how many tasks and cases that makes, how many of them the guards would refuse, by reason, and how many
-- cannot leave today, by the day on which they may leave at the earliest.
CREATE OR REPLACE FUNCTION preview_decision(p_ids bigint[], p_decision text)
RETURNS TABLE (decidable bigint[], messages bigint, people bigint, internal bigint, refused jsonb, moved jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH possible AS MATERIALIZED (
        SELECT a.id, a.kind, a.tenant_id, a.mailbox, a.contact_id, g.waits_until,
               CASE WHEN g.verdict <> 'scheduled' THEN g.reason END AS refusal,
               row_number() OVER (PARTITION BY a.tenant_id, a.mailbox, g.verdict IS NULL ORDER BY e.urgency, a.run_at, a.id) AS place
        FROM scheduled_actions AS a
        JOIN action_guards(p_ids) AS g ON g.action_id = a.id
        LEFT JOIN engines AS e ON e.name = a.engine
        WHERE a.id = ANY (p_ids) AND a.status = ANY (decidable_statuses(p_decision))
    ), room AS MATERIALIZED (  -- asked once for each mailbox
        SELECT w.*, m.room, m.free_at
        FROM (SELECT DISTINCT p.tenant_id, p.mailbox FROM possible AS p WHERE p.kind = 'email') AS w
        CROSS JOIN LATERAL mailbox_room(w.tenant_id, w.mailbox) AS m
    ), leaving AS (
        SELECT (sending_opens_in(p.tenant_id, coalesce(contact_zone(to_jsonb(c)), tenant_zone(p.tenant_id)), greatest(
                   fleet_now(), p.waits_until, CASE WHEN p.place > m.room THEN m.free_at END
               )) AT TIME ZONE tenant_zone(p.tenant_id))::date AS day, tenant_today(p.tenant_id) AS today
        FROM possible AS p
        LEFT JOIN room AS m ON m.tenant_id = p.tenant_id AND m.mailbox = p.mailbox
        LEFT JOIN contacts AS c ON c.id = p.contact_id AND c.tenant_id = p.tenant_id
        WHERE p.kind = 'email' AND p.refusal IS NULL
    )
    SELECT coalesce(array_agg(p.id ORDER BY p.id), '{}'), count(*) FILTER (WHERE p.kind = 'email'),
           count(DISTINCT p.mailbox) FILTER (WHERE p.kind = 'email'), count(*) FILTER (WHERE p.kind <> 'email'),
           (SELECT coalesce(jsonb_object_agg(r.refusal, r.n), '{}')
            FROM (SELECT x.refusal, count(*) AS n FROM possible AS x WHERE x.refusal IS NOT NULL GROUP BY x.refusal) AS r),
           (SELECT coalesce(jsonb_object_agg(d.day, d.n), '{}')
            FROM (SELECT x.day, count(*) AS n FROM leaving AS x WHERE x.day > x.today GROUP BY x.day) AS d)
    FROM possible AS p
$$;

-- Approves suggestions, cancels what has not left, or tries again what failed or died, and notes who decided that and
-- why. Returns the ids it changed.
CREATE OR REPLACE FUNCTION decide_actions(
    p_ids bigint[], p_decision text, p_by text DEFAULT 'an operator', p_why text DEFAULT NULL
) RETURNS SETOF bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH decided AS MATERIALIZED (
        -- Locked in order: two people who decide about the same actions wait for each other instead of failing.
        SELECT a.id, a.status FROM scheduled_actions AS a
        WHERE a.id = ANY (p_ids) AND a.status = ANY (decidable_statuses(p_decision)) AND p_decision NOT IN ('edit', 'snooze')
        ORDER BY a.id FOR NO KEY UPDATE
    ), changed AS (
        UPDATE scheduled_actions AS a SET
            status = CASE p_decision WHEN 'cancel' THEN 'cancelled' ELSE 'scheduled' END,
            reason = CASE p_decision WHEN 'cancel' THEN 'cancelled by ' || p_by || coalesce(': ' || p_why, '') END,
            code = CASE p_decision WHEN 'cancel' THEN 'operator' END,
            attempts = CASE p_decision WHEN 'retry' THEN 0 ELSE a.attempts END,
            run_at = CASE p_decision WHEN 'cancel' THEN a.run_at ELSE greatest(a.run_at, fleet_now()) END
        FROM decided AS d WHERE a.id = d.id
        RETURNING a.id, a.tenant_id, d.status AS was, a.status
    ), noted AS (
        INSERT INTO fleet_decisions (tenant_id, about, item, decision, before, after, why, decided_by, decided_at)
        SELECT c.tenant_id, 'action', c.id, p_decision, jsonb_build_object('status', c.was),
               jsonb_build_object('status', c.status), p_why, p_by, fleet_now()
        FROM changed AS c ORDER BY c.id
    )
    SELECT c.id FROM changed AS c ORDER BY c.id
$$;

-- Gives actions that have not left another text or another time, and notes who decided that, why, and what was there
-- before. The text replaces what the template makes of the variables. Returns the ids it changed.
-- p_edited: {"subject", "body"}, NULL leaves the text as it is.
CREATE OR REPLACE FUNCTION edit_actions(
    p_ids bigint[], p_edited jsonb, p_run_at timestamptz, p_by text, p_why text
) RETURNS SETOF bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH decided AS MATERIALIZED (
        SELECT a.id, a.run_at, a.variables -> 'edited' AS edited FROM scheduled_actions AS a
        WHERE a.id = ANY (p_ids) AND a.status = ANY (decidable_statuses('edit'))
        ORDER BY a.id FOR NO KEY UPDATE
    ), changed AS (
        UPDATE scheduled_actions AS a SET
            variables = CASE WHEN p_edited IS NULL THEN a.variables
                             ELSE a.variables || jsonb_build_object('edited', p_edited) END,
            run_at = coalesce(p_run_at, a.run_at)
        FROM decided AS d WHERE a.id = d.id
        RETURNING a.id, a.tenant_id, d.run_at AS was_at, d.edited AS was
    ), noted AS (
        INSERT INTO fleet_decisions (tenant_id, about, item, decision, before, after, why, decided_by, decided_at)
        SELECT c.tenant_id, 'action', c.id, 'edit',
               jsonb_strip_nulls(jsonb_build_object('text', c.was, 'run_at', CASE WHEN p_run_at IS NOT NULL THEN c.was_at END)),
               jsonb_strip_nulls(jsonb_build_object('text', p_edited, 'run_at', p_run_at)), p_why, p_by, fleet_now()
        FROM changed AS c ORDER BY c.id
    )
    SELECT c.id FROM changed AS c ORDER BY c.id
$$;

-- What has happened to an action, the earliest first.
CREATE OR REPLACE FUNCTION action_history(p_action bigint) RETURNS TABLE (at timestamptz, what text, who text, why text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT h.* FROM scheduled_actions AS a
    CROSS JOIN LATERAL (
        SELECT a.created_at, 'written', coalesce('run ' || a.run_id, 'the fleet'), NULL
        UNION ALL
        SELECT d.decided_at,
               CASE d.decision WHEN 'cancel' THEN 'cancelled' WHEN 'approve' THEN 'approved' WHEN 'retry' THEN 'tried again'
                    ELSE concat_ws(' and ', CASE WHEN d.after ? 'text' THEN 'given another text' END,
                                            CASE WHEN d.after ? 'run_at' THEN 'given another time' END) END,
               d.decided_by, d.why
        FROM fleet_decisions AS d
        WHERE d.tenant_id = a.tenant_id AND d.about = 'action' AND d.item = a.id::text
        UNION ALL
        SELECT f.failed_at, CASE WHEN f.inbound_message_id IS NULL THEN 'refused by a mail server' ELSE 'came back' END,
               f.address, concat_ws(': ', f.cause, f.said)
        FROM delivery_failures AS f WHERE f.action_id = a.id
        UNION ALL
        SELECT a.sent_at, CASE WHEN a.kind IN ('task', 'case') THEN 'filed' ELSE 'sent' END, a.sent_to, NULL
        WHERE a.sent_at IS NOT NULL
        UNION ALL
        SELECT m.received_at, 'answered', m.from_address, m.subject
        FROM inbound_messages AS m WHERE m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply'
    ) AS h (at, what, who, why)
    WHERE a.id = p_action
    ORDER BY h.at
$$;

REVOKE ALL ON FUNCTION actions_to(uuid, text), find_actions(jsonb), list_actions(jsonb, integer), decidable_statuses(text),
    preview_decision(bigint[], text), decide_actions(bigint[], text, text, text),
    edit_actions(bigint[], jsonb, timestamptz, text, text), action_history(bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION actions_to(uuid, text), find_actions(jsonb), list_actions(jsonb, integer), decidable_statuses(text),
    preview_decision(bigint[], text), decide_actions(bigint[], text, text, text),
    edit_actions(bigint[], jsonb, timestamptz, text, text), action_history(bigint) TO service_role;
