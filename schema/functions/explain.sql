-- Why something happened, happens next or does not: one answer over the ledger, the states, the outbox, its guards and the
-- suppressions. Each function gives sentences: past happened at an instant, next will happen then if nothing changes, and
-- now is how things stand (with an instant: since when).

-- What somebody may mean by a text: a mailbox, or what an engine finds by an id, a number or a title (NAME_found). item is
-- the folded address or the id; subject is what the engine's actions are about. One probe per tenant, however much each has.
CREATE OR REPLACE FUNCTION explain_find(p_tenant_id uuid, p_text text)
RETURNS TABLE (kind text, engine text, tenant_id uuid, tenant_name text, item text, subject uuid, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_text constant text := btrim(p_text);
    v_id constant uuid := substring(v_text FROM '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$');
    v_engine text;
BEGIN
    FOR v_engine IN
        SELECT e.name FROM engines AS e WHERE to_regprocedure(e.name || '_found(uuid, text, uuid)') IS NOT NULL ORDER BY e.name
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT f.kind, $1, t.id, t.name::text, f.item::text, f.subject, f.name'
            ' FROM %I($2, $3, $4) AS f JOIN tenants AS t ON t.id = f.tenant_id ORDER BY t.name, f.name',
            v_engine || '_found') USING v_engine, p_tenant_id, v_text, v_id;
    END LOOP;
    RETURN QUERY
    SELECT 'address', NULL, t.id, t.name::text, folded_address(w.address), NULL::uuid, w.address
    FROM tenants AS t
    CROSS JOIN LATERAL (
        SELECT c.email::text AS address FROM contacts AS c WHERE c.id = v_id AND c.tenant_id = t.id AND btrim(c.email) <> ''
        UNION ALL
        SELECT v_text
        WHERE v_text LIKE '%_@_%'
          AND (EXISTS (SELECT FROM contacts_with_address(t.id, folded_address(v_text), v_text))
               OR EXISTS (SELECT FROM actions_to(t.id, v_text))
               OR EXISTS (SELECT FROM suppressions_of(t.id, v_text, NULL))
               OR EXISTS (SELECT FROM inbound_messages AS m
                          WHERE m.tenant_id = t.id AND folded_mailbox(m.from_address) = folded_address(v_text)))
    ) AS w
    WHERE p_tenant_id IS NULL OR t.id = p_tenant_id
    ORDER BY 4;
END
$$;

-- How the fleet stands towards a tenant, for one engine or (NULL) for its mail alone.
CREATE OR REPLACE FUNCTION explain_tenant(p_tenant_id uuid, p_engine text)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT s.stopped_at, 'now', format('%s stopped %s: %s', s.stopped_by, coalesce(s.engine, 'every engine and all mail'), s.reason)
    FROM operator_stops AS s
    WHERE s.tenant_id = p_tenant_id AND (s.engine IS NULL OR p_engine IS NULL OR s.engine = p_engine)
    UNION ALL
    SELECT NULL, 'now', CASE engine_mode(p_tenant_id, p_engine)
        WHEN 'off' THEN p_engine || ' is switched off for this tenant'
        WHEN 'review' THEN p_engine || ' suggests, and a person approves before anything leaves'
        ELSE p_engine || ' works automatically' END
    WHERE p_engine IS NOT NULL
    UNION ALL
    SELECT NULL, 'now', 'all mail of the tenant is paused' FROM tenant_delivery AS y WHERE y.tenant_id = p_tenant_id AND y.paused
    UNION ALL
    SELECT w.opens_at, 'next', 'the tenant''s mail may leave again, by its hours, days and holidays'
    FROM (SELECT sending_opens_at(p_tenant_id, fleet_now()) AS opens_at) AS w WHERE w.opens_at > fleet_now()
    UNION ALL
    (SELECT r.started_at, 'now', format('the last run of %s: %s', p_engine,
            CASE WHEN f.failure IS NOT NULL THEN 'failed for this tenant: ' || (f.failure ->> 'error') ELSE r.status END)
     FROM engine_runs AS r
     LEFT JOIN LATERAL (SELECT x AS failure FROM jsonb_array_elements(r.failures) AS x
                        WHERE x ->> 'tenant_id' = p_tenant_id::text LIMIT 1) AS f ON true
     WHERE r.engine = p_engine AND r.started_at IS NOT NULL ORDER BY r.id DESC LIMIT 1)
$$;

-- What became of the newest of these actions, and what becomes of those that have not left.
CREATE OR REPLACE FUNCTION explain_actions(p_actions bigint[])
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH shown AS MATERIALIZED (
        SELECT a.*, format('%s "%s"', CASE a.kind WHEN 'email' THEN 'e-mail' ELSE a.kind END, replace(a.template, '_', ' ')) AS label
        FROM scheduled_actions AS a WHERE a.id = ANY (p_actions) ORDER BY a.id DESC LIMIT 200
    ), guarded AS MATERIALIZED (
        SELECT * FROM action_guards(ARRAY(SELECT s.id FROM shown AS s WHERE s.status IN ('suggested', 'scheduled', 'sending')))
    )
    SELECT s.sent_at, 'past', CASE WHEN s.kind IN ('task', 'case') THEN s.label || ' was filed'
                                   ELSE format('%s was sent to %s%s', s.label, s.sent_to, ': ' || s.sent_subject) END
    FROM shown AS s WHERE s.status = 'sent'
    UNION ALL
    SELECT s.run_at, 'past', format('%s was not sent: %s', s.label, coalesce(s.reason, s.status))
    FROM shown AS s WHERE s.status IN ('skipped', 'cancelled')
    UNION ALL
    SELECT s.run_at, 'now', format('%s failed for good: %s (fleet actions retry %s)', s.label, coalesce(s.last_error, s.status), s.id)
    FROM shown AS s WHERE s.status IN ('failed', 'dead')
    UNION ALL
    SELECT s.created_at, 'now', format('%s waits for a person (fleet actions approve %s)%s', s.label, s.id,
                                       '; it would be refused: ' || g.reason)
    FROM shown AS s JOIN guarded AS g ON g.action_id = s.id WHERE s.status = 'suggested'
    UNION ALL
    SELECT greatest(s.run_at, g.waits_until), 'next',
           CASE WHEN g.verdict <> 'scheduled' THEN format('%s would be refused: %s', s.label, g.reason)
                ELSE concat_ws(' ', s.label, CASE WHEN s.kind IN ('task', 'case') THEN 'is filed' ELSE 'leaves for ' || g.address END)
                     || coalesce('; it waits: ' || coalesce(g.reason, s.reason), '') END
           || coalesce('; so far: ' || s.last_error, '')
    FROM shown AS s JOIN guarded AS g ON g.action_id = s.id WHERE s.status IN ('scheduled', 'sending')
    UNION ALL
    SELECT h.at, 'past', format('%s was %s by %s%s', s.label, h.what, h.who, ': ' || h.why)
    FROM shown AS s CROSS JOIN LATERAL action_history(s.id) AS h
    WHERE h.what NOT IN ('written', 'sent', 'filed', 'refused by a mail server', 'came back')
    UNION ALL
    SELECT f.failed_at, 'past', format('%s could not be delivered to %s: %s', s.label, f.address, concat_ws(', ', f.cause, f.said))
    FROM shown AS s JOIN delivery_failures AS f ON f.action_id = s.id
$$;

-- What stands in the way of writing about something: it is set aside, there is nobody to write to, or nobody may.
CREATE OR REPLACE FUNCTION explain_reach(p_tenant_id uuid, p_engine text, p_item_id uuid, p_contact_id uuid, p_client_id uuid)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT x.aside_at, 'now', 'it is set aside for a day, because the CRM refuses the step: ' || x.error
    FROM items_resting AS x WHERE x.tenant_id = p_tenant_id AND x.engine = p_engine AND x.item_id = p_item_id
    UNION ALL
    SELECT s.created_at, 'now',
           CASE WHEN r.email IS NULL THEN 'there is nobody to write to: neither its contact nor a primary contact of its client has an address'
                ELSE format('nobody writes to %s: %s', r.email, s.reason) END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL reachable_contact(p_tenant_id, p_contact_id, p_client_id) AS r ON true
    LEFT JOIN LATERAL suppression_of(p_tenant_id, r.email, p_engine) AS u ON true
    LEFT JOIN suppressions AS s ON s.tenant_id = p_tenant_id AND s.address = u.address
    WHERE r.email IS NULL OR s.address IS NOT NULL
$$;

-- A mailbox: whoever bears it, whether anybody may write there, and what was written and came back.
-- p_address: folded.
CREATE OR REPLACE FUNCTION explain_mailbox(p_tenant_id uuid, p_address text)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT NULL::timestamptz, 'now', format('it is the address of %s%s', coalesce(nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), ''), 'a contact'),
                               ' (' || l.company_name || ')')
    FROM contacts_with_address(p_tenant_id, p_address, p_address) AS w
    JOIN contacts AS c ON c.id = w.contact_id
    LEFT JOIN clients AS l ON l.id = c.client_id AND l.tenant_id = p_tenant_id
    UNION ALL
    SELECT NULL, 'now', format('it is the tenant''s own (%s)', o.kind) FROM (SELECT own_address(p_tenant_id, p_address) AS kind) AS o
    WHERE o.kind IS NOT NULL
    UNION ALL
    SELECT s.created_at, 'now', format('%s writes to %s: %s%s', coalesce('no engine of ' || array_to_string(s.engines, ', '), 'nobody'),
                                       CASE s.address WHEN fingerprint_of(p_address) THEN p_address ELSE s.address END, s.reason,
                                       ' (' || s.added_by || ')')
    FROM suppressions_of(p_tenant_id, p_address, NULL) AS s
    UNION ALL
    (SELECT d.decided_at, 'past', format('%s %s%s', d.decided_by, CASE d.decision WHEN 'add' THEN 'suppressed it' ELSE 'let it be written to again' END, ': ' || d.why)
     FROM fleet_decisions AS d WHERE d.tenant_id = p_tenant_id AND d.about = 'suppression' AND folded_mailbox(d.item) = p_address
     ORDER BY d.id DESC LIMIT 50)
    UNION ALL
    (SELECT m.received_at, 'past', format('%s came from there%s', CASE m.kind
            WHEN 'reply' THEN 'an answer' WHEN 'message' THEN 'a mail' WHEN 'bounce' THEN 'a bounce' WHEN 'complaint' THEN 'a complaint'
            WHEN 'out_of_office' THEN 'an absence note' ELSE 'a machine''s mail' END, ': ' || m.subject)
     FROM inbound_messages AS m WHERE m.tenant_id = p_tenant_id AND folded_mailbox(m.from_address) = p_address
     ORDER BY m.received_at DESC LIMIT 100)
    UNION ALL
    (SELECT f.failed_at, 'past', format('a mail could not be delivered: %s', concat_ws(', ', f.cause, f.said))
     FROM delivery_failures AS f WHERE f.tenant_id = p_tenant_id AND folded_mailbox(f.address) = p_address AND f.action_id IS NULL
     ORDER BY f.failed_at DESC LIMIT 50)
$$;

-- The explanation of what explain_find found: how it stands, what comes next (the soonest first), what was (the newest first).
-- p_engine: NULL for a mailbox.
CREATE OR REPLACE FUNCTION explain_item(p_engine text, p_tenant_id uuid, p_item text, p_subject uuid)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_actions bigint[];
BEGIN
    IF p_engine IS NULL THEN
        v_actions := ARRAY(SELECT actions_to(p_tenant_id, p_item));
    ELSE
        v_actions := ARRAY(SELECT a.id FROM scheduled_actions AS a WHERE a.subject_id = p_subject AND a.tenant_id = p_tenant_id);
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT s.at, s.tense, s.what FROM ('
        ' SELECT 1 AS place, e.* FROM %I($1, $2::%s) WITH ORDINALITY AS e (at, tense, what, n)'
        -- An engine that is off, or stopped, does nothing next.
        ' WHERE e.tense <> ''next'' OR action_status($1, $3) IS NOT NULL'
        ' UNION ALL SELECT 2, a.* FROM explain_actions($4) WITH ORDINALITY AS a'
        ' UNION ALL SELECT 2, p.* FROM explain_pause($1, $5, $6) WITH ORDINALITY AS p'
        ' UNION ALL SELECT 3, t.* FROM explain_tenant($1, $3) WITH ORDINALITY AS t) AS s'
        ' ORDER BY array_position(''{now, next, past}'', s.tense), CASE s.tense WHEN ''now'' THEN s.place END,'
        ' CASE s.tense WHEN ''now'' THEN s.n END, CASE s.tense WHEN ''next'' THEN s.at END, s.at DESC, s.place, s.n',
        coalesce(p_engine || '_explained', 'explain_mailbox'), CASE WHEN p_engine IS NULL THEN 'text' ELSE 'uuid' END)
    USING p_tenant_id, p_item, p_engine, v_actions, CASE WHEN p_engine IS NULL THEN folded_address(p_item) END, p_subject;
END
$$;

REVOKE ALL ON FUNCTION explain_find(uuid, text), explain_tenant(uuid, text), explain_actions(bigint[]),
    explain_reach(uuid, text, uuid, uuid, uuid), explain_mailbox(uuid, text), explain_item(text, uuid, text, uuid)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION explain_find(uuid, text), explain_tenant(uuid, text), explain_actions(bigint[]),
    explain_reach(uuid, text, uuid, uuid, uuid), explain_mailbox(uuid, text), explain_item(text, uuid, text, uuid)
    TO service_role;
