-- The outbox: what speaks against an action, whom its end is told, and what is filed among the tenant's own tasks. Engines
-- write scheduled_actions, delivery reads them here and in sending.sql; no other road leads from one to the other.

-- For each of these actions the address it would go to and, where something speaks against it, what it becomes, why (a
-- code, see docs/reference/reasons.md, and a sentence), and until when it waits: cancelled (it is no longer wanted), skipped
-- (it cannot be sent) or scheduled (not now). Only the engines concerned are asked, and an action whose engine is not in the
-- registry goes nowhere. What only claiming knows, the caps of a mailbox, is in claim_emails.
CREATE OR REPLACE FUNCTION action_guards(p_actions bigint[])
RETURNS TABLE (action_id bigint, address text, verdict text, reason text, code text, waits_until timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off ROWS 50
AS $$
DECLARE
    v_engine text;
    v_unwanted jsonb := '{}';  -- {action: reason}
BEGIN
    FOR v_engine IN
        SELECT e.name FROM engines AS e
        WHERE e.name IN (SELECT a.engine FROM scheduled_actions AS a WHERE a.id = ANY (p_actions))
    LOOP
        EXECUTE format('SELECT $1 || coalesce(jsonb_object_agg(g.action_id, g.reason), ''{}'') FROM %I($2) AS g',
                       v_engine || '_guard') INTO v_unwanted USING v_unwanted, p_actions;
    END LOOP;
    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT a.id, a.tenant_id, a.engine, d.address, s.reason AS suppressed, away.until AS away_until,
               CASE
                   WHEN e.name IS NULL THEN 'no_engine'
                   WHEN v_unwanted ? a.id::text THEN 'unwanted'
                   WHEN a.kind <> 'email' THEN NULL
                   WHEN is_gone(to_jsonb(p)) THEN 'contact_gone'
                   WHEN p.client_id <> a.client_id THEN 'contact_moved'
                   WHEN EXISTS (SELECT FROM mails_since(a.tenant_id, a.contact_id, a.client_id, a.created_at)) THEN 'wrote_since'
                   WHEN away.until > fleet_now() THEN 'away'
                   WHEN d.address IS NULL THEN 'no_address'
                   WHEN length(d.address) > 320 THEN 'bad_address'
                   WHEN s.address IS NOT NULL THEN 'suppressed'
               END AS code
        FROM scheduled_actions AS a
        LEFT JOIN engines AS e ON e.name = a.engine
        LEFT JOIN contacts AS p ON p.id = a.contact_id AND p.tenant_id = a.tenant_id
        CROSS JOIN LATERAL (SELECT nullif(btrim(coalesce(p.email, a.recipient)), '') AS address) AS d
        LEFT JOIN LATERAL suppression_of(a.tenant_id, d.address, a.engine) AS s ON true
        LEFT JOIN LATERAL away_until(a.tenant_id, a.contact_id) AS away (until) ON a.kind = 'email'
        WHERE a.id = ANY (p_actions)
    )
    SELECT j.id, j.address,
           CASE
               WHEN j.code IN ('no_engine', 'unwanted', 'contact_gone', 'contact_moved', 'wrote_since') THEN 'cancelled'
               WHEN j.code = 'away' THEN 'scheduled'
               WHEN j.code IS NOT NULL THEN 'skipped'
           END,
           CASE j.code
               WHEN 'no_engine' THEN format('there is no engine %s', j.engine)
               WHEN 'unwanted' THEN v_unwanted ->> j.id::text
               WHEN 'contact_gone' THEN 'the contact is gone'
               WHEN 'contact_moved' THEN 'the contact belongs to another client now'
               WHEN 'wrote_since' THEN 'somebody of the client wrote since'
               WHEN 'away' THEN 'the contact is away until ' || (j.away_until AT TIME ZONE tenant_zone(j.tenant_id))::date - 1
               WHEN 'no_address' THEN 'no address'
               WHEN 'bad_address' THEN 'the address is longer than any address'
               WHEN 'suppressed' THEN 'address is suppressed: ' || j.suppressed
           END,
           j.code, CASE WHEN j.code = 'away' THEN j.away_until END
    FROM judged AS j;
END
$$;

-- How often something was written about a subject and did not leave, in a series: NULL for never. It tells the key of the next
-- attempt from theirs.
CREATE OR REPLACE FUNCTION times_in_vain(p_tenant_id uuid, p_subject_id uuid, p_series integer, p_template text) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
    SELECT nullif(count(*), 0) FROM scheduled_actions AS a
    WHERE a.subject_id = p_subject_id AND a.tenant_id = p_tenant_id AND a.series = p_series AND a.template = p_template
      AND a.status IN ('cancelled', 'skipped', 'failed', 'dead')
$$;

-- Whether what a colleague writes counts for all that is written to the client, as it does unless the tenant says otherwise.
CREATE OR REPLACE FUNCTION heeds_colleagues(p_tenant_id uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT NOT EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = p_tenant_id AND y.wrote_since = 'contact')
$$;

-- What the contact, from whichever row of his address, or (where that counts) anybody of the same client wrote after a moment:
-- answers, and mails of their own. What is open is ours to answer then. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION mails_since(p_tenant_id uuid, p_contact_id uuid, p_client_id uuid, p_since timestamptz)
RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT m.id FROM public.inbound_messages AS m
    WHERE m.contact_id = p_contact_id AND m.tenant_id = p_tenant_id AND m.received_at > p_since AND m.kind IN ('reply', 'message')
    UNION ALL
    SELECT m.id FROM public.contacts AS c
    JOIN public.inbound_messages AS m ON m.tenant_id = p_tenant_id AND m.received_at > p_since
        AND regexp_replace(lower(btrim(m.from_address)), '^([^+@]+)\+[^@]*@', '\1@') = public.folded_mailbox(c.email)
    WHERE c.id = p_contact_id AND c.tenant_id = p_tenant_id AND m.kind IN ('reply', 'message')
    UNION ALL
    SELECT m.id FROM public.inbound_messages AS m
    WHERE m.client_id = p_client_id AND m.tenant_id = p_tenant_id AND m.received_at > p_since AND m.kind IN ('reply', 'message')
      AND public.heeds_colleagues(m.tenant_id)
$$;

-- The moment from which on a contact who is away may be written to again: the day after the one that the last absence note
-- names, and where it names none, three working days after it came. No row: no note came since the contact last wrote. Pins no
-- search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION away_until(p_tenant_id uuid, p_contact_id uuid) RETURNS SETOF timestamptz
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT (coalesce(m.away_until, d.day + CASE extract(isodow FROM d.day)::integer WHEN 3 THEN 4 WHEN 4 THEN 4 WHEN 5 THEN 4
                                                WHEN 6 THEN 3 ELSE 2 END) + 1)::timestamp AT TIME ZONE z.zone
    FROM (SELECT x.* FROM public.inbound_messages AS x
          WHERE x.contact_id = p_contact_id AND x.tenant_id = p_tenant_id AND x.kind IN ('out_of_office', 'reply', 'message')
            AND x.received_at > public.fleet_now() - interval '400 days'
          ORDER BY x.received_at DESC LIMIT 1) AS m
    CROSS JOIN LATERAL (SELECT public.tenant_zone(m.tenant_id) AS zone) AS z
    CROSS JOIN LATERAL (SELECT (m.received_at AT TIME ZONE z.zone)::date AS day) AS d
    WHERE m.kind = 'out_of_office'
$$;

DROP FUNCTION IF EXISTS wrote_since(uuid, uuid, uuid, timestamptz), contact_away_until(uuid, uuid);  -- these two took their place

-- What an action is about, as its reader knows it: what it is (a deal, a quote …) and its id. Of an answer it is the mail, and
-- what it answers; of a list, whose items say it themselves ("about": {"type", "id", "title"}), each of them with its name.
CREATE OR REPLACE FUNCTION action_subjects(p_action scheduled_actions) RETURNS TABLE (n bigint, type text, id uuid, title text)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT row_number() OVER (), s.* FROM (
        SELECT e.about ->> 'type', (e.about ->> 'id')::uuid, coalesce(e.about ->> 'title', '')
        FROM jsonb_path_query(p_action.variables, '$.*[*].about') AS e (about)
        UNION ALL
        SELECT p_action.subject_type, p_action.subject_id, NULL
        WHERE NOT jsonb_path_exists(p_action.variables, '$.*[*].about')
        UNION ALL
        SELECT replace(p_action.variables ->> 'matter', ' ', '_'), (p_action.variables ->> 'matter_id')::uuid, NULL
        WHERE p_action.variables ->> 'matter' IS NOT NULL AND p_action.variables ->> 'matter_id' IS NOT NULL
    ) AS s (type, id, title)
$$;

-- Tells each engine which of its actions have just reached an end (sent, refused, failed, cancelled) or were revived
-- by an operator, in the transaction that settles them: state and outbox agree at every moment.
CREATE OR REPLACE FUNCTION tell_engines() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_engine text;
    v_actions bigint[];
BEGIN
    FOR v_engine, v_actions IN
        SELECT n.engine, array_agg(n.id) FROM settled AS n
        JOIN claimed AS o ON o.id = n.id
        JOIN engines AS e ON e.name = n.engine
        WHERE n.status <> o.status
          AND (n.status IN ('sent', 'skipped', 'failed', 'dead', 'cancelled')
               OR n.status = 'scheduled' AND o.status IN ('failed', 'dead'))
        GROUP BY n.engine
    LOOP
        EXECUTE format('SELECT %I($1)', v_engine || '_settled') USING v_actions;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER actions_settled
    AFTER UPDATE ON scheduled_actions
    REFERENCING OLD TABLE AS claimed NEW TABLE AS settled
    FOR EACH STATEMENT EXECUTE FUNCTION tell_engines();

-- Cancels what is still open about an action's subject because the customer answered, but for the templates to keep.
CREATE OR REPLACE FUNCTION cancel_open_actions(
    p_action scheduled_actions, p_reason text, p_keep text[] DEFAULT '{}'
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE scheduled_actions AS a SET status = 'cancelled', reason = p_reason, code = 'answered'
    WHERE a.tenant_id = p_action.tenant_id AND a.subject_type = p_action.subject_type
      AND a.subject_id = p_action.subject_id AND a.status IN ('suggested', 'scheduled') AND a.template <> ALL (p_keep)
$$;

-- Tenants with actions of a kind waiting, in the order of their ids: a loose scan that reads
-- one index entry per tenant, however much each one has waiting.
CREATE OR REPLACE FUNCTION tenants_with_actions(p_kind text) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 10
AS $$
    WITH RECURSIVE waiting AS (
        SELECT (SELECT a.tenant_id FROM scheduled_actions AS a
                WHERE a.status = 'scheduled' AND a.kind = p_kind
                ORDER BY a.tenant_id LIMIT 1) AS tenant_id
        UNION ALL
        SELECT (SELECT a.tenant_id FROM scheduled_actions AS a
                WHERE a.status = 'scheduled' AND a.kind = p_kind AND a.tenant_id > w.tenant_id
                ORDER BY a.tenant_id LIMIT 1)
        FROM waiting AS w WHERE w.tenant_id IS NOT NULL
    )
    SELECT w.tenant_id FROM waiting AS w WHERE w.tenant_id IS NOT NULL
$$;

-- Suggestions that nobody decided on in time, two weeks unless the tenant says otherwise, are no longer current; their series
-- waits for a person, and says so.
CREATE OR REPLACE FUNCTION expire_suggestions() RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH old AS (
        SELECT a.id, coalesce(y.suggestion_days, 14) AS days FROM scheduled_actions AS a
        LEFT JOIN tenant_delivery AS y ON y.tenant_id = a.tenant_id
        WHERE a.status = 'suggested' AND a.kind = 'email'
          AND a.created_at < fleet_now() - make_interval(days => coalesce(y.suggestion_days, 14))
        ORDER BY a.id LIMIT 1000
        FOR NO KEY UPDATE OF a SKIP LOCKED
    ), updated AS (
        UPDATE scheduled_actions AS a SET status = 'cancelled', code = 'expired',
            reason = format('nobody approved its message within %s days', o.days)
        FROM old AS o WHERE a.id = o.id
        RETURNING a.id
    )
    SELECT count(*)::integer FROM updated
$$;

-- Actions whose sender was lost come back; after the last attempt they are dead. Returns how many.
CREATE OR REPLACE FUNCTION recover_actions(p_max_attempts integer) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH lost AS (
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.status = 'sending' AND a.lease_until <= clock_timestamp()
        ORDER BY a.lease_until LIMIT 1000
        FOR NO KEY UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE scheduled_actions AS a SET
            status = CASE WHEN a.attempts >= p_max_attempts THEN 'dead' ELSE 'scheduled' END,
            last_error = 'the sender was lost before it reported back', lease_until = NULL, lease_owner = NULL
        FROM lost AS l WHERE a.id = l.id
        RETURNING a.id
    )
    SELECT count(*)::integer FROM updated
$$;

-- Claims due internal actions (a task or a case for the tenant's own people) under row locks. Their text is
-- rendered by the caller and written by file_internal in the same transaction: exactly once. Those of a tenant for whom as
-- many work as may (see limits.sql) wait for the next pass.
CREATE OR REPLACE FUNCTION claim_internal(p_limit integer, p_per_tenant integer)
RETURNS TABLE (action_id bigint, kind text, verdict text, template text, variables jsonb, tenant_name text)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_claimed bigint[];
BEGIN
    v_claimed := ARRAY(
        SELECT due.id FROM unnest(ARRAY['task', 'case']) AS k (kind)
        CROSS JOIN LATERAL tenants_with_actions(k.kind) AS w (tenant_id)
        CROSS JOIN LATERAL (
            SELECT a.id FROM scheduled_actions AS a
            WHERE a.status = 'scheduled' AND a.kind = k.kind AND a.tenant_id = w.tenant_id AND a.run_at <= v_now
            ORDER BY a.run_at, a.id LIMIT least(p_per_tenant, quota_left(w.tenant_id, 'tasks'))
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS due
        LIMIT p_limit);
    v_claimed := ARRAY(
        SELECT a.id FROM (
            SELECT w.tenant_id FROM (SELECT DISTINCT x.tenant_id FROM scheduled_actions AS x WHERE x.id = ANY (v_claimed)) AS w
            WHERE take_tenant_place(w.tenant_id, false) OFFSET 0
        ) AS free
        JOIN scheduled_actions AS a ON a.tenant_id = free.tenant_id AND a.id = ANY (v_claimed));
    RETURN QUERY
    WITH guarded AS MATERIALIZED (
        SELECT * FROM action_guards(v_claimed)
    ), refused AS (
        UPDATE scheduled_actions AS a SET status = g.verdict, reason = g.reason, code = g.code
        FROM guarded AS g WHERE a.id = ANY (v_claimed) AND g.action_id = a.id AND g.verdict IS NOT NULL
    )
    SELECT a.id, a.kind, g.verdict, a.template, a.variables, t.name::text
    FROM guarded AS g
    JOIN scheduled_actions AS a ON a.id = g.action_id
    JOIN tenants AS t ON t.id = a.tenant_id
    ORDER BY a.id;
END
$$;

-- The columns of the CRM's tasks, beside those that the fleet needs, in which it keeps what a task is about (p_dates false) or
-- when it is due: of a name that CRMs use and a type that holds it, and without a reference to another table than ours.
CREATE OR REPLACE FUNCTION task_columns(p_dates boolean) RETURNS TABLE (name text, type text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT k.attname::text, t.type
    FROM (VALUES ('deal_id', false), ('quote_id', false), ('order_id', false), ('client_id', false), ('contact_id', false),
                 ('compliance_check_id', false), ('feedback_request_id', false), ('due_date', true), ('due_on', true),
                 ('deadline', true)) AS w (name, is_date)
    JOIN pg_attribute AS k ON k.attrelid = 'tasks'::regclass AND k.attname = w.name AND NOT k.attisdropped AND k.attgenerated = ''
    CROSS JOIN LATERAL (SELECT format_type(k.atttypid, NULL) AS type) AS t
    WHERE w.is_date = p_dates
      AND CASE WHEN p_dates THEN t.type IN ('date', 'timestamp with time zone', 'timestamp without time zone')
               ELSE t.type IN ('uuid', 'text') OR t.type = 'character varying' AND k.atttypmod NOT BETWEEN 0 AND 39 END
      AND NOT EXISTS (SELECT FROM pg_constraint AS r
                      WHERE r.conrelid = k.attrelid AND r.contype = 'f' AND k.attnum = ANY (r.conkey)
                        AND r.confrelid IS DISTINCT FROM to_regclass(replace(w.name, '_id', 's')))
$$;

-- What an action is about as columns of the kind of deal_id: its subject's own id, and whatever its row refers to. A list is
-- about none of its items alone.
CREATE OR REPLACE FUNCTION action_references(p_action scheduled_actions) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_subject record;
    v_row jsonb;
BEGIN
    SELECT s.type, s.id INTO v_subject FROM action_subjects(p_action) AS s WHERE s.title IS NULL ORDER BY s.n DESC LIMIT 1;
    IF to_regclass(quote_ident(v_subject.type || 's')) IS NULL THEN
        RETURN '{}';
    END IF;
    EXECUTE format('SELECT to_jsonb(x) FROM %I AS x WHERE x.id = $1 AND x.tenant_id = $2', v_subject.type || 's')
        INTO v_row USING v_subject.id, p_action.tenant_id;
    RETURN coalesce(v_row || jsonb_build_object(v_subject.type || '_id', v_subject.id), '{}');
END
$$;

-- Writes claimed internal actions as tasks and cases of the CRM, settles them and returns how many it
-- wrote. A CRM has rules of its own: what it refuses fails by itself, with the CRM's words, and the rest is filed.
-- p_texts: [{"id", "title", "body"}]
CREATE OR REPLACE FUNCTION file_internal(p_texts jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_names text;
    v_values text;
    v_filed integer;
    v_error text;
BEGIN
    SELECT string_agg(', ' || x.name, ''), string_agg(', ' || x.value, '') INTO v_names, v_values
    FROM (SELECT k.name, format('(f.about ->> %L)::%s', k.name, k.type) AS value FROM task_columns(false) AS k
          UNION ALL
          SELECT k.name, CASE k.type WHEN 'date' THEN '(f.due_at AT TIME ZONE tenant_zone(f.tenant_id))::date'
                                         ELSE format('f.due_at::%s', k.type) END FROM task_columns(true) AS k) AS x;
    BEGIN
        EXECUTE format($filing$
            WITH filed AS (
                SELECT a.id, a.tenant_id, a.kind, a.template, a.priority, r.title, r.body, l.id AS client_id, c.id AS contact_id,
                       o.id AS order_id, $2 + interval '1 day' AS due_at,
                       -- Who is gone since the action was written is left out; somebody it is for, if there is anybody.
                       coalesce(p.id, w.id, responsible_profile(a.tenant_id, 'service')) AS assignee_id,
                       action_references(a) || jsonb_strip_nulls(
                           jsonb_build_object('client_id', l.id, 'contact_id', c.id, 'order_id', o.id)) AS about
                FROM jsonb_to_recordset($1) AS r (id bigint, title text, body text)
                -- By its id alone: asked for its status, it would be read by the index of what waits, which is full of what did.
                JOIN scheduled_actions AS a ON a.id = r.id
                CROSS JOIN LATERAL (SELECT a.variables ->> 'order_id' AS order_id) AS v
                LEFT JOIN profiles AS p ON p.id = a.assigned_to AND p.tenant_id = a.tenant_id AND NOT is_gone(to_jsonb(p))
                LEFT JOIN clients AS l ON l.id = a.client_id AND l.tenant_id = a.tenant_id
                LEFT JOIN profiles AS w ON w.id = l.owner_id AND w.tenant_id = a.tenant_id AND NOT is_gone(to_jsonb(w))
                LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
                LEFT JOIN orders AS o ON o.tenant_id = a.tenant_id AND o.id =
                    CASE WHEN v.order_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN v.order_id::uuid END
            ), new_tasks AS (
                INSERT INTO tasks (tenant_id, title, description, status, priority, assigned_to, due_at%1$s)
                SELECT f.tenant_id, f.title, f.body, 'open', f.priority, f.assignee_id, f.due_at%2$s
                FROM filed AS f WHERE f.kind = 'task'
            ), new_cases AS (
                INSERT INTO cases (tenant_id, order_id, client_id, contact_id, title, description, status, priority, source, category)
                SELECT f.tenant_id, f.order_id, f.client_id, f.contact_id, f.title, f.body, 'open', f.priority, 'fleet', f.template
                FROM filed AS f WHERE f.kind = 'case'
            ), settled AS (
                UPDATE scheduled_actions AS a SET status = 'sent', sent_at = $2, attempts = a.attempts + 1
                FROM filed AS f WHERE a.id = f.id
                RETURNING a.id
            )
            SELECT count(*) FROM settled
        $filing$, v_names, v_values) INTO v_filed USING p_texts, v_now;
        SET CONSTRAINTS ALL IMMEDIATE;  -- rules that wait for the end of the transaction speak now, or would end all of it
        RETURN v_filed;
    EXCEPTION WHEN OTHERS THEN
        IF is_transient(SQLSTATE) THEN
            RAISE;
        END IF;
        v_error := SQLERRM;
    END;
    IF jsonb_array_length(p_texts) > 1 THEN
        SELECT sum(file_internal(jsonb_build_array(t))) INTO v_filed FROM jsonb_array_elements(p_texts) AS t;
        RETURN v_filed;
    END IF;
    UPDATE scheduled_actions AS a
    SET status = 'failed', attempts = a.attempts + 1, last_error = 'the CRM refuses it: ' || v_error
    WHERE a.id = (p_texts -> 0 ->> 'id')::bigint;
    RETURN 0;
END
$$;

REVOKE ALL ON FUNCTION action_guards(bigint[]), times_in_vain(uuid, uuid, integer, text), heeds_colleagues(uuid),
    mails_since(uuid, uuid, uuid, timestamptz), away_until(uuid, uuid), action_subjects(scheduled_actions), task_columns(boolean),
    action_references(scheduled_actions),
    tell_engines(), cancel_open_actions(scheduled_actions, text, text[]), tenants_with_actions(text), expire_suggestions(),
    recover_actions(integer), claim_internal(integer, integer), file_internal(jsonb)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION action_guards(bigint[]), times_in_vain(uuid, uuid, integer, text), heeds_colleagues(uuid),
    mails_since(uuid, uuid, uuid, timestamptz), away_until(uuid, uuid), action_subjects(scheduled_actions), task_columns(boolean),
    action_references(scheduled_actions),
    cancel_open_actions(scheduled_actions, text, text[]), tenants_with_actions(text), expire_suggestions(),
    recover_actions(integer), claim_internal(integer, integer), file_internal(jsonb)
    TO service_role;
