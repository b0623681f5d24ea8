-- Why something happened, happens next or does not: one answer over the ledger, the states, the outbox, its guards and the
-- suppressions. Each function gives sentences: past happened at an instant, next will happen then if nothing changes, and
-- now is how things stand (with an instant: since when).

-- What somebody may mean by a text: a mailbox, or a deal, quote, order or check; by its id, a quote's or an order's number,
-- or a deal's title. item is the folded address or the id. One probe per tenant, however much each one has.
CREATE OR REPLACE FUNCTION explain_find(p_tenant_id uuid, p_text text)
RETURNS TABLE (kind text, tenant_id uuid, tenant_name text, item text, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_text constant text := btrim(p_text);
    v_id constant uuid := substring(v_text FROM '^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$');
BEGIN
    IF v_id IS NOT NULL THEN
        RETURN QUERY
        SELECT f.kind, t.id, t.name::text, f.item, f.name
        FROM (
            SELECT 'deal', d.tenant_id, d.id::text, concat_ws(', ', d.title, d.stage) FROM deals AS d WHERE d.id = v_id
            UNION ALL
            SELECT 'quote', q.tenant_id, q.id::text, q.quote_number FROM quotes AS q WHERE q.id = v_id
            UNION ALL
            SELECT 'order', o.tenant_id, o.id::text, o.order_number::text FROM orders AS o WHERE o.id = v_id
            UNION ALL
            SELECT 'order', r.tenant_id, r.order_id::text, o.order_number::text
            FROM feedback_requests AS r JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = r.tenant_id WHERE r.id = v_id
            UNION ALL
            SELECT 'check', c.tenant_id, c.id::text, concat_ws(', ', c.compliance_type, c.entity_name)
            FROM compliance_checks AS c WHERE c.id = v_id
            UNION ALL
            SELECT 'address', c.tenant_id, folded_address(c.email::text), c.email::text
            FROM contacts AS c WHERE c.id = v_id AND btrim(c.email) <> ''
        ) AS f (kind, tenant_id, item, name)
        JOIN tenants AS t ON t.id = f.tenant_id
        WHERE p_tenant_id IS NULL OR t.id = p_tenant_id;
        RETURN;
    END IF;

    RETURN QUERY
    SELECT f.kind, t.id, t.name::text, f.item, f.name FROM tenants AS t
    CROSS JOIN LATERAL (
        SELECT 'quote', q.id::text, q.quote_number FROM quotes AS q WHERE q.tenant_id = t.id AND q.quote_number = v_text
        UNION ALL
        SELECT 'order', o.id::text, o.order_number::text FROM orders AS o
        WHERE o.tenant_id = t.id AND lower(left(o.order_number::text, 200)) = lower(left(v_text, 200))
        UNION ALL
        SELECT 'deal', d.id::text, concat_ws(', ', d.title, l.company_name, d.stage) FROM deals AS d
        LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = t.id
        WHERE d.tenant_id = t.id AND lower(left(d.title::text, 200)) = lower(left(v_text, 200))
        UNION ALL
        SELECT 'address', folded_address(v_text), v_text
        WHERE v_text LIKE '%_@_%'
          AND (EXISTS (SELECT FROM contacts_with_address(t.id, folded_address(v_text), v_text))
               OR EXISTS (SELECT FROM actions_to(t.id, v_text))
               OR EXISTS (SELECT FROM suppressions AS s WHERE s.tenant_id = t.id AND s.address = lower(v_text))
               OR EXISTS (SELECT FROM inbound_messages AS m WHERE m.tenant_id = t.id AND m.from_address = lower(v_text)))
    ) AS f (kind, item, name)
    WHERE p_tenant_id IS NULL OR t.id = p_tenant_id
    ORDER BY 3, 1, 5 LIMIT 100;
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
    SELECT NULL, 'now', format('mail leaves from %s to %s in %s only', to_char(y.window_start, 'HH24:MI'),
                               coalesce(to_char(y.window_end, 'HH24:MI'), 'midnight'), y.time_zone)
    FROM tenant_delivery AS y
    WHERE y.tenant_id = p_tenant_id AND (y.window_start > '00:00' OR y.window_end IS NOT NULL)
    UNION ALL
    (SELECT r.started_at, 'now', format('the last run of %s: %s', p_engine,
            CASE WHEN f.failure IS NOT NULL THEN 'failed for this tenant: ' || (f.failure ->> 'error') ELSE r.status END)
     FROM engine_runs AS r
     LEFT JOIN LATERAL (SELECT x AS failure FROM jsonb_array_elements(r.failures) AS x
                        WHERE x ->> 'tenant_id' = p_tenant_id::text LIMIT 1) AS f ON true
     WHERE r.engine = p_engine ORDER BY r.id DESC LIMIT 1)
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
    SELECT s.sent_at, 'past', CASE s.kind WHEN 'email' THEN format('%s was sent to %s%s', s.label, s.sent_to, ': ' || s.sent_subject)
                                          ELSE s.label || ' was filed' END
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
    SELECT s.run_at, 'next',
           CASE WHEN g.verdict IS NULL THEN concat_ws(' ', s.label, CASE s.kind WHEN 'email' THEN 'leaves for ' || g.address
                                                                          ELSE 'is filed' END)
                ELSE format('%s would be refused: %s', s.label, g.reason) END
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
    FROM items_aside AS x WHERE x.tenant_id = p_tenant_id AND x.engine = p_engine AND x.item_id = p_item_id
    UNION ALL
    SELECT s.created_at, 'now',
           CASE WHEN r.email IS NULL THEN 'there is nobody to write to: neither its contact nor a primary contact of its client has an address'
                ELSE format('nobody writes to %s: %s', r.email, s.reason) END
    FROM (SELECT) AS one
    LEFT JOIN LATERAL reachable_contact(p_tenant_id, p_contact_id, p_client_id) AS r ON true
    LEFT JOIN suppressions AS s ON s.tenant_id = p_tenant_id AND s.address = lower(btrim(r.email))
                               AND (s.engines IS NULL OR p_engine = ANY (s.engines))
    WHERE r.email IS NULL OR s.address IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION explain_deal(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH deal AS MATERIALIZED (
        -- Each column by its name: a CRM may have one that is called as ours are.
        SELECT d.stage, d.contact_id, d.client_id, d.auto_follow_up_enabled, d.last_activity_at, d.stalls_at, d.stalled_at,
               d.next_follow_up_at, d.follow_up_count, d.follow_up_ended_at, is_gone(to_jsonb(d)) AS gone,
               word_meaning(p_tenant_id, 'deal_stage', d.stage::text) AS meaning, coalesce(c.max_follow_ups, 5) AS most
        FROM deals AS d
        LEFT JOIN deal_stage_config AS c ON c.tenant_id = p_tenant_id AND folded_word(c.stage) = folded_word(d.stage::text)
        WHERE d.id = p_id AND d.tenant_id = p_tenant_id
    ), live AS (
        SELECT d.* FROM deal AS d
        WHERE d.meaning = 'open' AND NOT d.gone AND d.auto_follow_up_enabled AND NOT has_decided_quote(p_tenant_id, p_id)
    )
    SELECT NULL::timestamptz, 'now', CASE
        WHEN d.gone THEN 'the deal is deleted or archived: nothing is written about it'
        WHEN d.meaning IS NULL THEN format('nobody has said what the stage "%s" means, so nothing is written (fleet words set)', d.stage)
        WHEN d.meaning <> 'open' THEN format('the stage "%s" means %s: nothing is written about it', d.stage, d.meaning)
        ELSE format('the deal is open, in the stage "%s"', d.stage) END
    FROM deal AS d
    UNION ALL
    SELECT NULL, 'now', 'follow-ups are switched off for this deal' FROM deal AS d WHERE NOT d.auto_follow_up_enabled
    UNION ALL
    SELECT NULL, 'now', 'a quote of the deal has an outcome: nothing is written about either' WHERE has_decided_quote(p_tenant_id, p_id)
    UNION ALL
    SELECT d.last_activity_at, 'past', 'the last activity that counts' FROM deal AS d WHERE d.last_activity_at IS NOT NULL
    UNION ALL
    SELECT d.stalled_at, 'now', format('the deal is stalled; %s of %s follow-ups were written', d.follow_up_count, d.most)
    FROM live AS d WHERE d.stalled_at IS NOT NULL
    UNION ALL
    SELECT d.follow_up_ended_at, 'now', 'its follow-ups are over, until something happens on the deal'
    FROM live AS d WHERE d.follow_up_ended_at IS NOT NULL
    UNION ALL
    SELECT d.stalls_at, 'next', 'the deal counts as stalled, if nothing happens until then, and its contact is written to'
    FROM live AS d WHERE d.stalled_at IS NULL AND d.follow_up_ended_at IS NULL AND d.stalls_at IS NOT NULL
    UNION ALL
    SELECT d.next_follow_up_at, 'next', CASE
        WHEN d.follow_up_count < d.most THEN format('follow-up %s of %s is due', d.follow_up_count + 1, d.most)
        ELSE 'its owner is told that nobody answered' END
    FROM live AS d WHERE d.follow_up_ended_at IS NULL AND d.next_follow_up_at IS NOT NULL
    UNION ALL
    (SELECT h.changed_at, 'past', format('the stage became "%s"%s', h.to_stage, ', after "' || h.from_stage || '"')
     FROM deal_stage_history AS h WHERE h.deal_id = p_id AND h.tenant_id = p_tenant_id ORDER BY h.changed_at DESC LIMIT 200)
    UNION ALL
    SELECT r.* FROM live AS d CROSS JOIN LATERAL explain_reach(p_tenant_id, 'deals', p_id, d.contact_id, d.client_id) AS r
$$;

CREATE OR REPLACE FUNCTION explain_quote(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH quote AS MATERIALIZED (
        SELECT q.*, has_decided_quote(p_tenant_id, q.deal_id) AS sister, d.stage AS deal_stage,
               coalesce(word_meaning(p_tenant_id, 'deal_stage', d.stage::text) IN ('won', 'lost'), false) AS closed
        FROM quotes AS q
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
        WHERE q.id = p_id AND q.tenant_id = p_tenant_id
    ), live AS (
        SELECT * FROM quote AS q
        WHERE q.status IN ('sent', 'viewed') AND q.outcome IS NULL AND NOT q.sister AND NOT q.closed
    )
    SELECT q.responded_at, 'now', format('the quote is %s%s', replace(q.status, '_', ' '), ', with the outcome ' || replace(q.outcome, '_', ' '))
    FROM quote AS q
    UNION ALL
    SELECT NULL, 'now', 'another quote of its deal has an outcome: nothing is written about this one' FROM quote AS q
    WHERE q.sister AND q.outcome IS NULL
    UNION ALL
    SELECT NULL, 'now', format('its deal is closed ("%s"): nothing is written about the quote', q.deal_stage) FROM quote AS q WHERE q.closed
    UNION ALL
    SELECT q.follow_up_ended_at, 'now', 'its follow-ups are over' FROM live AS q WHERE q.follow_up_ended_at IS NOT NULL
    UNION ALL
    SELECT q.next_follow_up_at, 'next', CASE
        WHEN q.follow_up_count < q.max_follow_ups THEN format('follow-up %s of %s is due', q.follow_up_count + 1, q.max_follow_ups)
        ELSE 'its owner is told that nobody answered' END
    FROM live AS q WHERE q.follow_up_ended_at IS NULL AND q.next_follow_up_at IS NOT NULL
    UNION ALL
    SELECT (q.valid_until + 1)::timestamp AT TIME ZONE tenant_zone(p_tenant_id), 'next', 'the quote expires'
    FROM live AS q WHERE q.valid_until IS NOT NULL
    UNION ALL
    (SELECT c.created_at, 'past', CASE
            WHEN c.activity_type IN ('created', 'sent', 'viewed', 'expired') THEN format('the quote was %s%s', c.activity_type, ', ' || c.notes)
            ELSE concat_ws(': ', replace(c.activity_type, '_', ' '), c.notes) END
     FROM quote_activities AS c
     WHERE c.quote_id = p_id AND c.tenant_id = p_tenant_id AND c.activity_type <> 'outcome' ORDER BY c.created_at DESC LIMIT 200)
    UNION ALL
    SELECT o.recorded_at, 'past', format('the outcome was recorded: %s%s', replace(o.outcome, '_', ' '), ', ' || o.primary_reason)
    FROM quote_outcomes AS o WHERE o.quote_id = p_id AND o.tenant_id = p_tenant_id
    UNION ALL
    SELECT r.* FROM live AS q CROSS JOIN LATERAL explain_reach(p_tenant_id, 'quotes', p_id, q.contact_id, q.client_id) AS r
$$;

CREATE OR REPLACE FUNCTION explain_order(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH placed AS MATERIALIZED (
        SELECT o.status, o.contact_id, o.delivered_at, word_meaning(p_tenant_id, 'order_status', o.status::text) AS meaning
        FROM orders AS o
        WHERE o.id = p_id AND o.tenant_id = p_tenant_id
    ), request AS MATERIALIZED (
        SELECT r.* FROM feedback_requests AS r WHERE r.tenant_id = p_tenant_id AND r.order_id = p_id
    )
    SELECT o.delivered_at, 'now', CASE
        WHEN o.meaning IS NULL THEN format('nobody has said what the status "%s" means, so nobody is asked (fleet words set)', o.status)
        ELSE format('the order is %s%s', o.meaning, CASE WHEN o.delivered_at IS NULL THEN ', and has no date of delivery' END) END
    FROM placed AS o
    UNION ALL
    SELECT NULL, 'now', 'no feedback is asked for: it has no date of delivery, or was delivered before the fleet looked back'
    WHERE NOT EXISTS (SELECT FROM request)
    UNION ALL
    SELECT r.scheduled_for, 'next', 'its contact is asked for feedback' FROM request AS r WHERE r.status = 'pending'
    UNION ALL
    SELECT r.scheduled_for, 'now', 'its contact is not asked: ' || coalesce(r.skip_reason, 'no reason was kept')
    FROM request AS r WHERE r.status = 'skipped'
    UNION ALL
    SELECT NULL, 'now', 'the request waits: ' || r.skip_reason FROM request AS r WHERE r.status = 'pending' AND r.skip_reason IS NOT NULL
    UNION ALL
    SELECT r.sent_at, 'past', 'its contact was asked for feedback' FROM request AS r WHERE r.sent_at IS NOT NULL
    UNION ALL
    SELECT r.responded_at, 'past', format('the contact answered%s%s', ', ' || r.sentiment, ': ' || r.response_summary)
    FROM request AS r WHERE r.responded_at IS NOT NULL
    UNION ALL
    SELECT r.expires_at, CASE r.status WHEN 'sent' THEN 'next' ELSE 'past' END, 'the request expires without an answer'
    FROM request AS r WHERE r.status IN ('sent', 'expired') AND r.expires_at IS NOT NULL
    UNION ALL
    (SELECT c.created_at, 'past', format('case "%s" was opened, it is %s', c.title, c.status)
     FROM cases AS c WHERE c.order_id = p_id AND c.tenant_id = p_tenant_id ORDER BY c.created_at DESC LIMIT 50)
    UNION ALL
    SELECT x.* FROM request AS r JOIN placed AS o ON true
    CROSS JOIN LATERAL explain_reach(p_tenant_id, 'feedback', r.id, coalesce(o.contact_id, r.contact_id), r.client_id) AS x
    WHERE r.status = 'pending'
$$;

CREATE OR REPLACE FUNCTION explain_check(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH asked AS MATERIALIZED (
        SELECT c.*, s.is_active, s.last_error FROM compliance_checks AS c
        LEFT JOIN compliance_schedule AS s ON s.id = c.schedule_id AND s.tenant_id = c.tenant_id
        WHERE c.id = p_id AND c.tenant_id = p_tenant_id
    )
    SELECT c.completed_at, 'now', format('the check of %s is %s%s', c.entity_name, replace(c.status, '_', ' '), ': ' || c.waived_reason)
    FROM asked AS c
    UNION ALL
    SELECT NULL, 'now', 'missing: ' || array_to_string(c.missing_fields, ', ') FROM asked AS c
    WHERE c.missing_fields <> '{}' AND c.status NOT IN ('completed', 'waived')
    UNION ALL
    SELECT NULL, 'now', 'its schedule was switched off: nobody is reminded and nobody told' FROM asked AS c WHERE NOT c.is_active
    UNION ALL
    SELECT NULL, 'now', 'its schedule waits to be mended: ' || c.last_error FROM asked AS c WHERE c.last_error IS NOT NULL
    UNION ALL
    SELECT x.aside_at, 'now', 'it is set aside for a day, because the CRM refuses the step: ' || x.error
    FROM items_aside AS x WHERE x.tenant_id = p_tenant_id AND x.engine = 'compliance' AND x.item_id = p_id
    UNION ALL
    SELECT c.next_step_at, 'next', CASE
        WHEN c.status = 'overdue' THEN 'it is escalated, if nothing came in until then'
        WHEN c.next_step_at >= c.due_at OR c.status = 'in_progress' THEN 'it counts as overdue, if nothing came in until then'
        ELSE format('reminder %s is due, if anything is missing then', c.reminder_count + 1) END
    FROM asked AS c WHERE c.next_step_at IS NOT NULL AND coalesce(c.is_active, true)
    UNION ALL
    SELECT c.due_at, CASE WHEN c.due_at > fleet_now() THEN 'next' ELSE 'past' END, 'its due date' FROM asked AS c WHERE c.status NOT IN ('completed', 'waived')
    UNION ALL
    SELECT c.escalation_sent_at, 'past', 'it was escalated' FROM asked AS c WHERE c.escalation_sent_at IS NOT NULL
    UNION ALL
    SELECT c.created_at, 'past', 'the check was made' FROM asked AS c
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
                                       s.address, s.reason, ' (' || s.added_by || ')')
    FROM suppressions_of(p_tenant_id, p_address, NULL) AS s
    UNION ALL
    (SELECT d.decided_at, 'past', format('%s %s%s', d.decided_by, CASE d.decision WHEN 'add' THEN 'suppressed it' ELSE 'let it be written to again' END, ': ' || d.why)
     FROM fleet_decisions AS d WHERE d.tenant_id = p_tenant_id AND d.about = 'suppression' AND d.item = p_address
     ORDER BY d.id DESC LIMIT 50)
    UNION ALL
    (SELECT m.received_at, 'past', format('%s came from there%s', CASE m.kind
            WHEN 'reply' THEN 'an answer' WHEN 'message' THEN 'a mail' WHEN 'bounce' THEN 'a bounce' WHEN 'complaint' THEN 'a complaint'
            WHEN 'out_of_office' THEN 'an absence note' ELSE 'a machine''s mail' END, ': ' || m.subject)
     FROM inbound_messages AS m WHERE m.tenant_id = p_tenant_id AND m.from_address = p_address
     ORDER BY m.received_at DESC LIMIT 100)
    UNION ALL
    (SELECT f.failed_at, 'past', format('a mail could not be delivered: %s', concat_ws(', ', f.cause, f.said))
     FROM delivery_failures AS f WHERE f.tenant_id = p_tenant_id AND f.address = p_address AND f.action_id IS NULL
     ORDER BY f.failed_at DESC LIMIT 50)
$$;

-- The explanation of what explain_find found: how things stand, what comes next (the soonest first), what was (the newest
-- first).
CREATE OR REPLACE FUNCTION explain_item(p_kind text, p_tenant_id uuid, p_item text)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_engine constant text := CASE p_kind WHEN 'deal' THEN 'deals' WHEN 'quote' THEN 'quotes' WHEN 'order' THEN 'feedback'
                                          WHEN 'check' THEN 'compliance' END;
    v_subject uuid;
BEGIN
    IF p_kind = 'order' THEN
        SELECT r.id INTO v_subject FROM feedback_requests AS r WHERE r.tenant_id = p_tenant_id AND r.order_id = p_item::uuid;
    ELSIF p_kind <> 'address' THEN
        v_subject := p_item::uuid;
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT s.at, s.tense, s.what FROM ('
        ' SELECT 1 AS place, e.* FROM %I($1, $2::%s) WITH ORDINALITY AS e (at, tense, what, n)'
        -- An engine that is off, or stopped, does nothing next.
        ' WHERE e.tense <> ''next'' OR action_status($1, $3) IS NOT NULL'
        ' UNION ALL SELECT 2, a.* FROM explain_actions($4) WITH ORDINALITY AS a'
        ' UNION ALL SELECT 3, t.* FROM explain_tenant($1, $3) WITH ORDINALITY AS t) AS s'
        ' ORDER BY array_position(''{now, next, past}'', s.tense), CASE s.tense WHEN ''now'' THEN s.place END,'
        ' CASE s.tense WHEN ''now'' THEN s.n END, CASE s.tense WHEN ''next'' THEN s.at END, s.at DESC, s.place, s.n',
        CASE p_kind WHEN 'address' THEN 'explain_mailbox' ELSE 'explain_' || p_kind END,
        CASE p_kind WHEN 'address' THEN 'text' ELSE 'uuid' END)
    USING p_tenant_id, p_item, v_engine,
          CASE p_kind WHEN 'address' THEN ARRAY(SELECT actions_to(p_tenant_id, p_item))
                      ELSE ARRAY(SELECT a.id FROM scheduled_actions AS a WHERE a.subject_id = v_subject AND a.tenant_id = p_tenant_id) END;
END
$$;

REVOKE ALL ON FUNCTION explain_find(uuid, text), explain_tenant(uuid, text), explain_actions(bigint[]),
    explain_reach(uuid, text, uuid, uuid, uuid), explain_deal(uuid, uuid), explain_quote(uuid, uuid), explain_order(uuid, uuid),
    explain_check(uuid, uuid), explain_mailbox(uuid, text), explain_item(text, uuid, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION explain_find(uuid, text), explain_tenant(uuid, text), explain_actions(bigint[]),
    explain_reach(uuid, text, uuid, uuid, uuid), explain_deal(uuid, uuid), explain_quote(uuid, uuid), explain_order(uuid, uuid),
    explain_check(uuid, uuid), explain_mailbox(uuid, text), explain_item(text, uuid, text) TO service_role;
