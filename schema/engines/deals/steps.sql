-- Deals: follow up, and hand over to the owner after the last time.

-- One batch of one tenant: claim, then take the next step with what was claimed. The locks sit in the scans themselves,
-- so that a second worker reads past what the first one holds and takes the next rows.
CREATE OR REPLACE FUNCTION run_deals_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_hour constant timestamp := date_trunc('hour', v_now AT TIME ZONE 'UTC');
    v_stages constant text[] := deal_stages_waiting(p_tenant_id);
    v_claimed uuid[];
BEGIN
    IF action_status(p_tenant_id, 'deals') IS NULL THEN
        RETURN;
    END IF;
    v_claimed := ARRAY(
        SELECT due.id FROM (
            SELECT * FROM (
                SELECT d.id FROM deals_in_follow_up AS d
                WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NOT NULL
                  AND d.follow_up_hour <= v_hour AND d.next_follow_up_at <= v_now AND coalesce(d.stalls_at, days_later(d.active_at, 7, v_zone)) < v_now
                  AND NOT EXISTS (SELECT FROM items_resting AS x
                                  WHERE x.item_id = d.id AND x.engine = 'deals' AND x.tenant_id = p_tenant_id)
                ORDER BY d.follow_up_hour LIMIT p_limit
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS followed
            UNION ALL
            SELECT newly.* FROM unnest(v_stages) AS s (stage)
            LEFT JOIN deal_stage_config AS c ON c.tenant_id = p_tenant_id AND folded_word(c.stage) = folded_word(s.stage)
            CROSS JOIN LATERAL (
                SELECT d.id FROM deals_in_follow_up AS d
                WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NULL AND d.stage = s.stage
                  AND d.active_at < days_later(v_now, -coalesce(c.max_days_before_stale, 7), v_zone)
                  AND NOT EXISTS (SELECT FROM items_resting AS x
                                  WHERE x.item_id = d.id AND x.engine = 'deals' AND x.tenant_id = p_tenant_id)
                ORDER BY d.active_at LIMIT p_limit
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS newly
        ) AS due
        LIMIT p_limit);
    RETURN QUERY SELECT * FROM step_in_halves('step_deals', 'deals', p_tenant_id, v_claimed, p_run);
END
$$;

-- The next step with each of these deals, which the caller has locked: a follow-up, the hand-over after the last one, or
-- the word that there is nobody to write to; state and outbox together. A deal that was deleted or archived, or whose
-- client was, or whose stage no longer means open, or of which a quote was decided, leaves the series without a word (follow_up_ended_at without
-- stalled_at).
CREATE OR REPLACE FUNCTION step_deals(p_tenant_id uuid, p_deals uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := tenant_today(p_tenant_id);
    v_status constant text := action_status(p_tenant_id, 'deals');
    v_open constant text[] := ARRAY(
        SELECT s.stage FROM (SELECT DISTINCT d.stage::text AS stage FROM deals AS d WHERE d.id = ANY (p_deals)) AS s
        WHERE word_meaning(p_tenant_id, 'deal_stage', s.stage) = 'open');
BEGIN
    RETURN QUERY
    WITH decided AS (
        SELECT d.id, d.title, d.stage, d.client_id, d.active_at, d.follow_up_count + 1 AS step,
               coalesce(c.max_follow_ups, 5) AS max_follow_ups,
               -- From the full hour: a run that starts seconds earlier than this one did must find it due.
               days_later(date_trunc('hour', v_now, 'UTC'), coalesce(c.follow_up_interval_days, 3), v_zone) AS next_at,
               v_today - (d.active_at AT TIME ZONE v_zone)::date AS days_silent,
               p.id AS contact_id, p.first_name,
               l.company_name, coalesce(d.owner_id, l.owner_id) AS owner_id, o.full_name AS owner_name,
               CASE
                   WHEN r.gone THEN 'deal_gone'
                   WHEN p.id IS NULL THEN 'deal_no_contact'
                   WHEN d.follow_up_count < coalesce(c.max_follow_ups, 5) THEN 'deal_follow_up'
                   ELSE 'deal_handover'
               END AS template
        FROM deals_in_follow_up AS d
        LEFT JOIN deal_stage_config AS c ON c.tenant_id = p_tenant_id AND folded_word(c.stage) = folded_word(d.stage)
        LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS o ON o.id = coalesce(d.owner_id, l.owner_id) AND o.tenant_id = p_tenant_id
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, d.contact_id, d.client_id) AS p ON true
        CROSS JOIN LATERAL (
            SELECT d.stage::text <> ALL (v_open) OR has_decided_quote(p_tenant_id, d.id) OR is_gone(to_jsonb(x)) OR coalesce(is_gone(to_jsonb(l)), false) AS gone
            FROM deals AS x WHERE x.id = d.id
        ) AS r
        WHERE d.id = ANY (p_deals)
    ), updated AS (
        UPDATE deals AS d SET
            -- A CRM may move updated_at with this very update; the deal's silence must not end by it.
            last_activity_at = coalesce(d.last_activity_at, e.active_at),
            stalled_at = CASE WHEN e.template <> 'deal_gone' THEN coalesce(d.stalled_at, v_now) END,
            follow_up_count = CASE WHEN e.template = 'deal_follow_up' THEN e.step ELSE d.follow_up_count END,
            next_follow_up_at = CASE WHEN e.template = 'deal_follow_up' THEN e.next_at END,
            follow_up_ended_at = CASE WHEN e.template <> 'deal_follow_up' THEN v_now END
        FROM decided AS e WHERE d.id = e.id
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'deals', CASE WHEN e.template = 'deal_follow_up' THEN 'email' ELSE 'task' END, e.template,
               jsonb_build_object('deal', e.title, 'stage', e.stage, 'company', e.company_name,
                                  'first_name', e.first_name, 'owner_name', e.owner_name,
                                  'days_silent', e.days_silent, 'step', e.step, 'max_steps', e.max_follow_ups),
               'deal', e.id, e.client_id, e.contact_id, e.owner_id, v_now, v_status,
               -- A stall is named by the activity it followed: the next stall starts a new series.
               concat_ws(':', 'deal', e.id, extract(epoch FROM e.active_at), e.template,
                         CASE WHEN e.template = 'deal_follow_up' THEN e.step END), p_run
        FROM decided AS e WHERE e.template <> 'deal_gone'
        ORDER BY e.active_at
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    )
    SELECT 'due', 'deal', count(*) FROM decided
    UNION ALL SELECT 'acted', e.template, count(*) FROM decided AS e GROUP BY e.template
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

-- A deal that was never touched has no stalls_at yet and may be named too early; its own stage's
-- days then decide.
CREATE OR REPLACE FUNCTION deals_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    SELECT DISTINCT d.tenant_id FROM deals_in_follow_up AS d WHERE d.due_from <= v_now;
END
$$;

CREATE OR REPLACE FUNCTION deals_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    SELECT due.tenant_id, sum(due.n)::bigint FROM (
        SELECT d.tenant_id, d.stage, count(*) AS n FROM deals_in_follow_up AS d
        LEFT JOIN deal_stage_config AS c ON c.tenant_id = d.tenant_id AND folded_word(c.stage) = folded_word(d.stage)
        LEFT JOIN tenant_calendar AS k ON k.tenant_id = d.tenant_id
        WHERE (d.next_follow_up_at IS NULL OR d.next_follow_up_at <= v_now)
          AND d.active_at < days_later(v_now, -coalesce(c.max_days_before_stale, 7), coalesce(k.time_zone, 'UTC'))
        GROUP BY d.tenant_id, d.stage
    ) AS due
    WHERE word_meaning(due.tenant_id, 'deal_stage', due.stage) = 'open'
    GROUP BY due.tenant_id;
END
$$;

CREATE OR REPLACE FUNCTION deals_next_due() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT min(d.due_from) FROM deals_in_follow_up AS d
    WHERE d.due_from > fleet_now() AND action_status(d.tenant_id, 'deals') IS NOT NULL
$$;

-- Nothing about a deal leaves once it is active again, closed, gone, or its follow-ups were switched off.
CREATE OR REPLACE FUNCTION deals_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id,
               CASE
                   WHEN d.id IS NULL OR is_gone(to_jsonb(d)) THEN 'the deal is gone'
                   WHEN m.meaning <> 'open' THEN 'the deal is closed'
                   WHEN has_decided_quote(d.tenant_id, d.id) THEN 'a quote of the deal has an outcome'
                   WHEN m.meaning IS NULL THEN format('nobody has said what the stage "%s" means', d.stage)
                   WHEN NOT d.auto_follow_up_enabled THEN 'follow-ups were switched off'
                   WHEN d.stalled_at IS NULL THEN 'the deal is active again'
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN deals AS d ON d.id = a.subject_id AND d.tenant_id = a.tenant_id
        CROSS JOIN LATERAL (SELECT word_meaning(d.tenant_id, 'deal_stage', d.stage::text) AS meaning) AS m
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'deal'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A follow-up counts when it is written; what becomes of its message changes nothing about the deal.
CREATE OR REPLACE FUNCTION deals_settled(p_actions bigint[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
$$;

-- An answer is activity of the deal. The series is named as well: of a deal whose last activity nobody ever wrote
-- down, the trigger takes the first instant for a note and not for an activity.
CREATE OR REPLACE FUNCTION deals_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE deals AS d SET
        last_activity_at = greatest(d.last_activity_at, fleet_now()), stalled_at = NULL, next_follow_up_at = NULL,
        follow_up_count = 0, follow_up_ended_at = NULL
    WHERE d.id = p_action.subject_id AND d.tenant_id = p_message.tenant_id;
    PERFORM cancel_open_actions(p_action, 'the customer answered');
END
$$;

REVOKE ALL ON FUNCTION run_deals_batch(uuid, integer, bigint), step_deals(uuid, uuid[], bigint), deals_due_tenants(),
    deals_due_count(), deals_next_due(), deals_guard(bigint[]), deals_settled(bigint[]),
    deals_answered(inbound_messages, scheduled_actions, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION run_deals_batch(uuid, integer, bigint), step_deals(uuid, uuid[], bigint), deals_due_tenants(),
    deals_due_count(), deals_next_due(), deals_guard(bigint[]), deals_settled(bigint[]),
    deals_answered(inbound_messages, scheduled_actions, jsonb) TO service_role;

SELECT register_engine('deals');
