-- Compliance: one check per duty, target and period, from its reminder to its escalation. Nothing that was due can
-- fall out of sight.

-- Checks that wait for a step of the fleet: a reminder, becoming overdue, or the escalation. The longest
-- waiting first.
CREATE OR REPLACE FUNCTION get_compliance_due(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    check_id uuid, schedule_id uuid, compliance_type text, entity_type text, entity_id uuid, entity_name text,
    status text, due_at timestamptz, days_until_due integer, reminder_count integer, missing_fields text[]
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 20
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
BEGIN
    RETURN QUERY
    SELECT c.id, c.schedule_id, c.compliance_type, c.entity_type, c.entity_id, c.entity_name, c.status, c.due_at,
           (c.due_at AT TIME ZONE v_zone)::date - (v_now AT TIME ZONE v_zone)::date, c.reminder_count, c.missing_fields
    FROM compliance_checks AS c
    WHERE c.tenant_id = p_tenant_id AND c.next_step_at <= v_now
    ORDER BY c.next_step_at
    LIMIT p_limit;
END
$$;

-- One batch of one tenant: create the checks of due schedules, then take one step with each due check.
-- A schedule that fails (an unknown filter key) keeps its error, is tried again a day later at the
-- earliest, and never stops the others.
CREATE OR REPLACE FUNCTION run_compliance_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_schedule record;
    v_worked record;
    v_schedules bigint := 0;
    v_refused bigint := 0;
    v_passed bigint := 0;
    v_busy bigint;
    v_claimed uuid[];
    v_error text;
BEGIN
    IF action_status(p_tenant_id, 'compliance') IS NULL THEN
        RETURN;
    END IF;

    FOR v_schedule IN
        SELECT s.id, s.notify_at <= v_now AS due FROM compliance_schedule AS s
        WHERE s.tenant_id = p_tenant_id AND s.is_active
          AND (s.notify_at <= v_now OR s.open_due_at > v_now AND s.looked_run < p_run)
          AND (s.last_error_at IS NULL OR s.last_error_at <= v_now - interval '1 day')
        ORDER BY s.notify_at LIMIT 200
        FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        BEGIN
            SELECT * INTO v_worked FROM work_compliance_schedule(v_schedule.id, p_run);
            v_passed := v_passed + v_worked.passed;
            -- One whose period is open is looked through for new targets; that there are none is no work.
            v_schedules := v_schedules + (v_schedule.due OR v_worked.created > 0)::integer;
        EXCEPTION WHEN OTHERS THEN
            IF is_transient(SQLSTATE) THEN
                RAISE;
            END IF;
            v_error := SQLERRM;
            UPDATE compliance_schedule SET last_error = v_error, last_error_at = v_now WHERE id = v_schedule.id;
            v_schedules := v_schedules + 1;
            v_refused := v_refused + 1;
        END;
    END LOOP;

    -- Still due: another worker is writing their checks, and will be glad of help with them.
    SELECT count(*) INTO v_busy FROM compliance_schedule AS s
    WHERE s.tenant_id = p_tenant_id AND s.is_active AND s.notify_at <= v_now
      AND (s.last_error_at IS NULL OR s.last_error_at <= v_now - interval '1 day');

    v_claimed := ARRAY(
        SELECT c.id FROM compliance_checks AS c
        WHERE c.tenant_id = p_tenant_id AND c.next_step_at <= v_now
          AND NOT EXISTS (SELECT FROM items_resting AS x
                          WHERE x.item_id = c.id AND x.engine = 'compliance' AND x.tenant_id = p_tenant_id)
        ORDER BY c.next_step_at LIMIT p_limit
        FOR NO KEY UPDATE OF c SKIP LOCKED);

    RETURN QUERY VALUES
        ('due', 'schedule', v_schedules), ('busy', 'schedule', v_busy), ('acted', 'schedule', v_schedules - v_refused),
        ('skipped', 'schedule refused, see its last_error', v_refused),
        ('skipped', 'period passed before it was checked, the latest one is', v_passed);
    RETURN QUERY SELECT * FROM step_in_halves('step_compliance', 'compliance', p_tenant_id, v_claimed, p_run);
END
$$;

-- The next step with each of these checks, which the caller has locked: completed, waived, reminded, overdue, escalated.
CREATE OR REPLACE FUNCTION step_compliance(p_tenant_id uuid, p_checks uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := tenant_today(p_tenant_id);
    v_locale constant text := (SELECT k.locale FROM tenant_calendar AS k WHERE k.tenant_id = p_tenant_id);
    v_status constant text := action_status(p_tenant_id, 'compliance');
BEGIN
    RETURN QUERY
    WITH examined AS (
        SELECT c.*, e.id IS NOT NULL AS entity_exists, e.document, coalesce(w.id, responsible_profile(p_tenant_id, 'compliance')) AS responsible_id,
               f.missing, f.errors, f.absent, f.lapsed, f.unclear
        FROM compliance_checks AS c
        LEFT JOIN LATERAL (  -- with its LIMIT it is asked for each check: every arm of the view is a probe of a primary key
            SELECT n.* FROM compliance_entities AS n
            WHERE n.entity_type = c.entity_type AND n.id = c.entity_id AND n.tenant_id = p_tenant_id
            LIMIT 1
        ) AS e ON true
        LEFT JOIN profiles AS w ON w.id = e.owner_id AND w.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(w))
        CROSS JOIN LATERAL (
            SELECT coalesce(array_agg(r.field ORDER BY r.field) FILTER (WHERE r.fault IN ('absent', 'unclear')), '{}') AS missing,
                   coalesce(jsonb_agg(r.reason ORDER BY r.field) FILTER (WHERE r.reason IS NOT NULL), '[]') AS errors,
                   coalesce(array_agg(r.field ORDER BY r.field) FILTER (WHERE r.fault = 'absent'), '{}') AS absent,
                   coalesce(jsonb_agg(r.reason ORDER BY r.field) FILTER (WHERE r.fault = 'lapsed'), '[]') AS lapsed,
                   coalesce(jsonb_agg(r.reason ORDER BY r.field) FILTER (WHERE r.fault = 'unclear'), '[]') AS unclear
            FROM unnest(c.required_fields) AS q (field)
            CROSS JOIN LATERAL (
                SELECT q.field, j.fault, j.reason
                FROM judge_compliance_value(q.field, coalesce(nullif(e.document -> q.field, 'null'), e.document -> 'attributes' -> q.field),
                                            v_today, v_zone, v_locale) AS j
            ) AS r
        ) AS f
        WHERE c.id = ANY (p_checks)
    ), decided AS (
        SELECT x.*, p.id AS reminder_contact_id, p.first_name, vendor.email AS vendor_email,
               folded_mailbox(coalesce(p.email, vendor.email)) AS mailbox,
               CASE
                   WHEN NOT x.entity_exists THEN 'waived'
                   WHEN cardinality(x.required_fields) > 0 AND cardinality(x.missing) = 0 AND x.errors = '[]' THEN 'completed'
                   WHEN days_later(x.due_at, x.escalation_days_after, v_zone) <= v_now THEN 'escalated'
                   WHEN x.due_at <= v_now THEN 'overdue'
                   WHEN cardinality(x.absent) = 0 AND x.lapsed = '[]' AND x.unclear <> '[]' THEN 'unclear'
                   WHEN p.id IS NULL AND vendor.email IS NULL THEN 'unreachable'
                   ELSE 'reminded'
               END AS step
        FROM examined AS x
        LEFT JOIN LATERAL reachable_contact(
            p_tenant_id, CASE x.entity_type WHEN 'contact' THEN x.entity_id END,
            CASE x.entity_type WHEN 'client' THEN x.entity_id END) AS p ON true
        CROSS JOIN LATERAL (
            SELECT CASE x.entity_type WHEN 'vendor' THEN nullif(btrim(x.document ->> 'email'), '') END AS email
        ) AS vendor
    ), letters AS (
        -- One letter to one person: what is due first is its subject, the others are listed in it.
        SELECT d.mailbox, (array_agg(d.id ORDER BY d.due_at, d.entity_id, d.id))[1] AS first,
               array_agg(d.id ORDER BY d.due_at, d.entity_id, d.id) AS checks,
               jsonb_agg(jsonb_build_object(
                   'compliance_type', d.compliance_type, 'entity', d.entity_name, 'entity_type', d.entity_type, 'missing', d.absent, 'errors', d.lapsed,
                   'due_on', to_char(d.due_at AT TIME ZONE v_zone, 'FMDD FMMonth YYYY')) ORDER BY d.due_at, d.entity_id, d.id) AS items
        FROM decided AS d WHERE d.step = 'reminded' GROUP BY d.mailbox
    ), extended AS (
        -- A letter that waits for its turn already takes in what is missing since.
        UPDATE scheduled_actions AS a SET variables = a.variables || jsonb_build_object(
            'checks', (a.variables -> 'checks') || to_jsonb(r.checks), 'others', (a.variables -> 'others') || r.items)
        FROM letters AS r
        CROSS JOIN LATERAL (  -- by the mailbox, which few messages share
            SELECT x.id FROM scheduled_actions AS x
            WHERE x.tenant_id = p_tenant_id AND x.mailbox = r.mailbox
            ORDER BY x.tenant_id, x.mailbox, x.sent_at
        ) AS o
        WHERE a.id = o.id AND a.template = 'compliance_reminder' AND a.status = v_status AND a.variables ? 'checks'
        RETURNING r.first
    ), updated AS (
        UPDATE compliance_checks AS c SET
            status = CASE WHEN d.step IN ('reminded', 'unreachable', 'unclear') THEN 'awaiting_response' ELSE d.step END,
            missing_fields = d.missing,
            validation_errors = d.errors,
            -- A reminder counts when it was sent, see compliance_settled.
            reminder_hold = CASE WHEN d.step = 'reminded' THEN 'its message' END,
            reminder_sent_at = CASE WHEN d.step IN ('unreachable', 'unclear') THEN v_now ELSE c.reminder_sent_at END,
            escalation_sent_at = CASE WHEN d.step = 'escalated' THEN v_now ELSE c.escalation_sent_at END,
            escalated_to = CASE WHEN d.step = 'escalated' THEN d.responsible_id ELSE c.escalated_to END,
            completed_at = CASE WHEN d.step IN ('completed', 'waived') THEN v_now ELSE c.completed_at END,
            waived_reason = CASE WHEN d.step = 'waived' THEN 'the ' || c.entity_type || ' no longer exists' ELSE c.waived_reason END
        FROM decided AS d WHERE c.id = d.id
    ), finished AS (
        UPDATE compliance_schedule AS s SET last_completed_at = v_now
        WHERE s.id IN (
            SELECT x.id FROM compliance_schedule AS x
            WHERE x.tenant_id = p_tenant_id
              AND x.id IN (SELECT d.schedule_id FROM decided AS d WHERE d.step = 'completed')
            ORDER BY x.id FOR NO KEY UPDATE)  -- in one order, or two workers could wait for each other
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, recipient, assigned_to, run_at, status,
                                       priority, dedupe_key, run_id)
        SELECT p_tenant_id, 'compliance', t.kind, t.template,
               jsonb_build_object('compliance_type', d.compliance_type, 'entity', d.entity_name, 'entity_type', d.entity_type,
                                  'first_name', d.first_name, 'due_on', to_char(d.due_at AT TIME ZONE v_zone, 'FMDD FMMonth YYYY'),
                                  'missing', to_jsonb(t.missing), 'errors', t.errors, 'step', d.reminder_count + 1)
               || CASE t.kind WHEN 'email' THEN jsonb_build_object('checks', r.checks, 'others', r.items - 0) ELSE '{}' END,
               'compliance_check', d.id, CASE d.entity_type WHEN 'client' THEN d.entity_id END, d.reminder_contact_id,
               CASE t.kind WHEN 'email' THEN d.vendor_email END, d.responsible_id, v_now, v_status,
               CASE d.step WHEN 'escalated' THEN 'high' ELSE 'medium' END,
               concat_ws(':', 'compliance', d.id, t.mark), p_run
        FROM decided AS d
        LEFT JOIN letters AS r ON r.first = d.id AND NOT EXISTS (SELECT FROM extended AS x WHERE x.first = r.first)
        CROSS JOIN LATERAL (
            -- The customer is asked for what is absent or has lapsed; what cannot be told is for a person to read, once.
            SELECT 'email' AS kind, 'compliance_reminder' AS template,
                   concat_ws(':', 'reminded', d.reminder_count + 1, times_in_vain(p_tenant_id, d.id, 1, 'compliance_reminder')) AS mark,
                   d.absent AS missing, d.lapsed AS errors
            WHERE d.step = 'reminded' AND r.first IS NOT NULL
            UNION ALL
            SELECT 'task', CASE d.step WHEN 'escalated' THEN 'compliance_escalation' ELSE 'compliance_unreachable' END, d.step,
                   d.missing, d.errors
            WHERE d.step IN ('unreachable', 'escalated')
            UNION ALL
            SELECT 'task', 'compliance_unclear', 'unclear:' || md5(d.unclear::text), d.missing, d.unclear
            WHERE d.step IN ('reminded', 'unclear') AND d.unclear <> '[]'
        ) AS t
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    )
    SELECT 'due', 'check', count(*) FROM decided
    UNION ALL SELECT 'acted', d.step, count(*) FROM decided AS d GROUP BY d.step
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

-- Among them those with a period that is not due yet: entities may have come since its checks were made.
CREATE OR REPLACE FUNCTION compliance_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_first constant uuid[] := ARRAY(
        SELECT c.tenant_id FROM compliance_checks AS c WHERE c.next_step_at <= v_now ORDER BY c.next_step_at LIMIT few_due());
BEGIN
    RETURN QUERY
    SELECT s.tenant_id FROM compliance_schedule AS s WHERE s.is_active AND s.notify_at <= v_now
    UNION
    SELECT s.tenant_id FROM compliance_schedule AS s WHERE s.is_active AND s.open_due_at > v_now
    UNION
    SELECT f.id FROM unnest(v_first) AS f (id) WHERE cardinality(v_first) < few_due()
    UNION
    SELECT t.id FROM tenants AS t
    WHERE cardinality(v_first) >= few_due()
      AND EXISTS (SELECT FROM compliance_checks AS c WHERE c.tenant_id = t.id AND c.next_step_at <= v_now OFFSET 0);
END
$$;

CREATE OR REPLACE FUNCTION compliance_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    SELECT due.tenant_id, count(*) FROM (
        SELECT c.tenant_id FROM compliance_checks AS c WHERE c.next_step_at <= v_now
        UNION ALL
        SELECT s.tenant_id FROM compliance_schedule AS s WHERE s.is_active AND s.notify_at <= v_now
    ) AS due
    GROUP BY due.tenant_id;
END
$$;

CREATE OR REPLACE FUNCTION compliance_next_due() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT least(
        (SELECT min(c.next_step_at) FROM compliance_checks AS c
         WHERE c.next_step_at > fleet_now() AND action_status(c.tenant_id, 'compliance') IS NOT NULL),
        (SELECT min(s.notify_at) FROM compliance_schedule AS s
         WHERE s.is_active AND s.notify_at > fleet_now() AND action_status(s.tenant_id, 'compliance') IS NOT NULL))
$$;

-- Schedules that could not make their checks, with the reason: someone has to mend them.
CREATE OR REPLACE FUNCTION compliance_refused() RETURNS TABLE (tenant_id uuid, what text, error text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT s.tenant_id, coalesce(s.compliance_type, s.id::text), s.last_error FROM compliance_schedule AS s
    WHERE s.is_active AND s.last_error IS NOT NULL
    ORDER BY s.last_error_at
$$;

-- Nobody is reminded of a check, and nobody escalates one, that is completed, waived or gone, or whose schedule was
-- switched off; a letter that lists several leaves only while it asks for nothing that is done.
CREATE OR REPLACE FUNCTION compliance_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id,
               CASE
                   WHEN c.id IS NULL OR c.status IN ('completed', 'waived') THEN 'the check is ' || coalesce(c.status, 'gone')
                   WHEN NOT s.is_active THEN 'the schedule was switched off'
                   WHEN a.kind = 'email' AND c.status = 'in_progress' THEN 'somebody is answering it'
                   WHEN a.kind = 'email' AND EXISTS (
                       SELECT FROM jsonb_array_elements_text(a.variables -> 'checks') AS k (id)
                       JOIN compliance_checks AS x ON x.id = k.id::uuid AND x.tenant_id = a.tenant_id
                       WHERE x.status IN ('in_progress', 'completed', 'waived')) THEN 'another check of the letter is done'
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN compliance_checks AS c ON c.id = a.subject_id AND c.tenant_id = a.tenant_id
        LEFT JOIN compliance_schedule AS s ON s.id = c.schedule_id AND s.tenant_id = a.tenant_id
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'compliance_check'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A reminder counts when it was sent, for each check that its letter lists; the next one is due a week later. One that
-- cannot reach anybody makes a task once, and the due date still counts.
CREATE OR REPLACE FUNCTION compliance_settled(p_actions bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    UPDATE compliance_checks AS c SET
        reminder_hold = CASE WHEN a.status IN ('scheduled', 'dead') THEN 'its message'
                             WHEN a.status = 'cancelled' AND a.code IN ('operator', 'expired') THEN a.reason END,
        reminder_count = c.reminder_count + CASE a.status WHEN 'sent' THEN 1 ELSE 0 END,
        reminder_sent_at = CASE WHEN a.status IN ('sent', 'skipped', 'failed') THEN v_now ELSE c.reminder_sent_at END
    FROM scheduled_actions AS a
    CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(a.variables -> 'checks', jsonb_build_array(a.subject_id))) AS k (id)
    WHERE a.id = ANY (p_actions) AND a.subject_type = 'compliance_check' AND a.kind = 'email'
      AND c.id = k.id::uuid AND c.tenant_id = a.tenant_id;
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   contact_id, assigned_to, run_at, status, dedupe_key, run_id)
    SELECT a.tenant_id, 'compliance', 'task', 'compliance_unreachable',
           a.variables || jsonb_build_object('reason', coalesce(a.reason, a.last_error)), 'compliance_check', a.subject_id,
           a.client_id, a.contact_id, a.assigned_to, v_now, coalesce(action_status(a.tenant_id, 'compliance'), 'scheduled'),
           concat_ws(':', 'compliance', a.subject_id, 'unreachable'), a.run_id
    FROM scheduled_actions AS a
    WHERE a.id = ANY (p_actions) AND a.subject_type = 'compliance_check' AND a.kind = 'email'
      AND a.status IN ('skipped', 'failed')
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING;
END
$$;

-- Who answers a reminder works on all that its letter lists: the reminders stop, and the due dates still count.
CREATE OR REPLACE FUNCTION compliance_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE compliance_checks AS c SET status = 'in_progress'
    FROM jsonb_array_elements_text(coalesce(p_action.variables -> 'checks', jsonb_build_array(p_action.subject_id))) AS k (id)
    WHERE c.id = k.id::uuid AND c.tenant_id = p_message.tenant_id
      AND c.status IN ('pending', 'awaiting_response', 'overdue');
    PERFORM cancel_open_actions(p_action, 'the customer answered');
END
$$;

-- Somebody wrote by himself who was asked: no reminder until a person has looked; the due dates still count. Also where no
-- reminder comes any more, the mail is somebody's to answer.
CREATE OR REPLACE FUNCTION compliance_heard(p_message inbound_messages, p_judgement jsonb) RETURNS TABLE (subject_id uuid)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE compliance_checks AS c
    SET reminder_hold = CASE WHEN c.status IN ('pending', 'awaiting_response') THEN 'an answer to the customer' ELSE c.reminder_hold END
    FROM scheduled_actions AS a
    CROSS JOIN LATERAL jsonb_array_elements_text(coalesce(a.variables -> 'checks', jsonb_build_array(a.subject_id))) AS k (id)
    WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
      AND a.subject_type = 'compliance_check' AND a.kind = 'email' AND c.id = k.id::uuid AND c.tenant_id = a.tenant_id
      AND c.status NOT IN ('completed', 'waived')
    RETURNING c.id
$$;
REVOKE ALL ON FUNCTION get_compliance_due(uuid, integer),
    run_compliance_batch(uuid, integer, bigint), step_compliance(uuid, uuid[], bigint), compliance_due_tenants(),
    compliance_due_count(), compliance_next_due(),
    compliance_refused(), compliance_guard(bigint[]), compliance_settled(bigint[]),
    compliance_answered(inbound_messages, scheduled_actions, jsonb), compliance_heard(inbound_messages, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION get_compliance_due(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION run_compliance_batch(uuid, integer, bigint), step_compliance(uuid, uuid[], bigint),
    compliance_due_tenants(), compliance_due_count(),
    compliance_next_due(), compliance_refused(), compliance_guard(bigint[]), compliance_settled(bigint[]),
    compliance_answered(inbound_messages, scheduled_actions, jsonb), compliance_heard(inbound_messages, jsonb) TO service_role;

SELECT register_engine('compliance', 40);
