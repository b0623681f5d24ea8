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
                  AND d.follow_up_hour <= v_hour AND d.next_follow_up_at <= v_now
                  AND coalesce(d.stalls_at, days_later(d.active_from, 7, v_zone)) < v_now
                  AND NOT EXISTS (SELECT FROM items_resting AS x
                                  WHERE x.item_id = d.id AND x.engine = 'deals' AND x.tenant_id = p_tenant_id)
                ORDER BY d.follow_up_hour, d.active_from LIMIT p_limit
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS followed
            UNION ALL
            SELECT newly.* FROM unnest(v_stages) AS s (stage)
            LEFT JOIN deal_stage_limits AS c ON c.tenant_id = p_tenant_id AND c.stage = folded_word(s.stage)
            CROSS JOIN LATERAL (SELECT days_later(v_now, -coalesce(c.max_days_before_stale, 7), v_zone) AS silent_since) AS x
            CROSS JOIN LATERAL (
                SELECT d.id FROM deals_in_follow_up AS d
                WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NULL AND d.stage = s.stage
                  AND d.active_from < x.silent_since AND d.active_at < x.silent_since
                  AND NOT EXISTS (SELECT FROM items_resting AS r
                                  WHERE r.item_id = d.id AND r.engine = 'deals' AND r.tenant_id = p_tenant_id)
                ORDER BY d.active_from LIMIT p_limit
                FOR NO KEY UPDATE OF d SKIP LOCKED
            ) AS newly
        ) AS due
        LIMIT p_limit);
    RETURN QUERY SELECT * FROM step_in_halves('step_deals', 'deals', p_tenant_id, v_claimed, p_run);
END
$$;

-- The next step with each of these deals, which the caller has locked, so that each still stands where it was found when it is
-- written: a follow-up, the hand-over after the last one, or the word to its owner that nobody can be written to, or that it
-- has been silent for too long; state and outbox together. What was written counts when it was sent, see deals_settled; until
-- then the deal waits for its message.
--
-- A deal that was deleted or archived, or whose client was, or whose stage no longer means open, or of which a quote was
-- decided, leaves the series without a word, as does one that an earlier P1 had followed up to the end. Where something else
-- is to be said to the client first, it waits a day.
CREATE OR REPLACE FUNCTION step_deals(p_tenant_id uuid, p_deals uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := tenant_today(p_tenant_id);
    v_tomorrow constant timestamptz := (v_today + 1)::timestamp AT TIME ZONE v_zone;
    v_status constant text := action_status(p_tenant_id, 'deals');
    v_longest constant integer := coalesce(
        (SELECT y.deal_max_silence_days FROM tenant_delivery AS y WHERE y.tenant_id = p_tenant_id),
        (SELECT f.deal_max_silence_days FROM fleet_defaults AS f));
    v_adopted constant boolean := EXISTS (SELECT FROM fleet_defaults AS f WHERE f.adopted_at IS NOT NULL);
    v_open constant text[] := ARRAY(
        SELECT s.stage FROM (SELECT DISTINCT d.stage::text AS stage FROM deals AS d WHERE d.id = ANY (p_deals)) AS s
        WHERE word_meaning(p_tenant_id, 'deal_stage', s.stage) = 'open');
BEGIN
    RETURN QUERY
    WITH looked_at AS MATERIALIZED (
        SELECT d.id, d.place, d.title, d.stage, d.client_id, d.active_at, d.follow_up_series AS series, d.follow_up_count AS sent,
               coalesce(c.max_follow_ups, 5) AS max_follow_ups,
               v_today - (d.active_at AT TIME ZONE v_zone)::date AS days_silent,
               p.id AS contact_id, p.first_name, folded_mailbox(p.email) AS mailbox,
               l.company_name, o.id AS owner_id, o.full_name AS owner_name, u.reason AS suppressed,
               CASE
                   WHEN d.stage <> ALL (v_open) OR has_decided_quote(p_tenant_id, d.id) OR d.gone OR is_gone(to_jsonb(l))
                       THEN 'deal_gone'
                   WHEN v_adopted AND d.follow_up_count >= coalesce(c.max_follow_ups, 5)
                        AND NOT EXISTS (SELECT FROM scheduled_actions AS a
                                        WHERE a.subject_id = d.id AND a.tenant_id = p_tenant_id AND a.series = d.follow_up_series)
                       THEN 'deal_ended_before'
                   WHEN d.follow_up_count = 0 AND d.active_at < days_later(v_now, -v_longest, v_zone) THEN 'deals_long_silent'
                   WHEN p.id IS NULL THEN 'deal_no_contact'
                   WHEN d.follow_up_count >= coalesce(c.max_follow_ups, 5) THEN 'deal_handover'
                   WHEN u.address IS NOT NULL THEN 'deal_unreachable'
                   ELSE 'deal_follow_up'
               END AS template
        FROM deals_in_follow_up AS d
        LEFT JOIN deal_stage_limits AS c ON c.tenant_id = p_tenant_id AND c.stage = folded_word(d.stage)
        LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS w ON w.id = coalesce(d.owner_id, l.owner_id) AND w.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(w))
        LEFT JOIN profiles AS o ON o.id = coalesce(w.id, responsible_profile(p_tenant_id, 'sales'))
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, d.contact_id, d.client_id) AS p ON true
        LEFT JOIN LATERAL suppression_of(p_tenant_id, p.email, 'deals') AS u ON true
        WHERE d.id = ANY (p_deals)
    ), weighed AS (
        SELECT a.*, m.free_at,
               mailbox_is_full(m.room, m.waiting,
                               count(*) OVER (PARTITION BY a.mailbox, a.template = 'deal_follow_up'),
                               row_number() OVER (PARTITION BY a.mailbox, a.template = 'deal_follow_up'
                                                  ORDER BY a.active_at, a.id)) AS full_mailbox,
               CASE
                   WHEN a.template <> 'deal_follow_up' THEN NULL
                   WHEN EXISTS (SELECT FROM open_cases(p_tenant_id, a.client_id, a.contact_id))
                       THEN 'an open case of the client comes first'
                   -- A quote speaks for its deal; and of deals and quotes to one person the deals had the last word already.
                   WHEN EXISTS (SELECT FROM quotes AS q
                                WHERE q.deal_id = a.id AND q.tenant_id = p_tenant_id AND q.status IN ('sent', 'viewed')
                                  AND q.outcome IS NULL AND q.follow_up_ended_at IS NULL)
                     OR EXISTS (SELECT FROM quotes AS q
                                WHERE q.contact_id = a.contact_id AND q.tenant_id = p_tenant_id AND q.due_at < v_tomorrow
                                  AND q.follow_up_ended_at IS NULL AND q.follow_up_hold IS NULL)
                        AND (SELECT x.engine FROM scheduled_actions AS x
                             WHERE x.tenant_id = p_tenant_id AND x.mailbox = a.mailbox AND x.status = 'sent'
                             ORDER BY x.sent_at DESC LIMIT 1) = 'deals'
                       THEN 'a quote to the same person comes first'
               END AS yields_to
        FROM looked_at AS a
        LEFT JOIN LATERAL room_in_mailbox(p_tenant_id, a.mailbox) AS m
            ON a.template = 'deal_follow_up'
    ), decided AS (
        SELECT w.*, coalesce(w.yields_to, w.full_mailbox) AS waits_for
        FROM weighed AS w
    ), updated AS (
        UPDATE deals AS d SET
            -- A CRM may move updated_at with this very update; the deal's silence must not end by it.
            last_activity_at = coalesce(d.last_activity_at, e.active_at),
            stalled_at = CASE e.template WHEN 'deal_gone' THEN NULL WHEN 'deal_ended_before' THEN d.stalled_at
                                         ELSE coalesce(d.stalled_at, v_now) END,
            next_follow_up_at = CASE WHEN e.full_mailbox IS NOT NULL THEN e.free_at WHEN e.waits_for IS NOT NULL THEN v_tomorrow END,
            follow_up_hold = CASE WHEN e.template = 'deal_follow_up' AND e.waits_for IS NULL THEN 'its message' END,
            follow_up_ended_at = CASE WHEN e.template <> 'deal_follow_up' THEN v_now END,
            follow_up_ended_for = CASE e.template WHEN 'deal_follow_up' THEN NULL WHEN 'deal_gone' THEN 'closed'
                                                  WHEN 'deal_ended_before' THEN 'followed up to the end before the fleet'
                                                  WHEN 'deal_handover' THEN 'handed over' WHEN 'deals_long_silent' THEN 'silent for too long'
                                                  ELSE 'unreachable' END
        FROM decided AS e WHERE d.id = e.id AND d.ctid = e.place
    ), written AS (
        -- The same step of the same series a second time is a fault, and shows as one: its deal is set aside.
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, series,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'deals', CASE WHEN e.template = 'deal_follow_up' THEN 'email' ELSE 'task' END, e.template,
               jsonb_build_object('deal', e.title, 'stage', e.stage, 'company', e.company_name,
                                  'first_name', e.first_name, 'owner_name', e.owner_name, 'days_silent', e.days_silent,
                                  'sent', e.sent, 'step', e.sent + 1, 'max_steps', e.max_follow_ups, 'reason', e.suppressed),
               'deal', e.id, e.series, e.client_id, e.contact_id, e.owner_id, v_now, v_status,
               concat_ws(':', 'deal', e.id, 'series', e.series, e.template,
                         CASE WHEN e.template = 'deal_follow_up' THEN e.sent + 1 END,
                         times_in_vain(p_tenant_id, e.id, e.series, e.template)), p_run
        FROM decided AS e
        WHERE e.template NOT IN ('deal_gone', 'deal_ended_before', 'deals_long_silent') AND e.waits_for IS NULL
        ORDER BY e.active_at, e.id
        RETURNING template
    ), listed AS (
        -- One list for each owner, however many batches find something for it before it is filed.
        SELECT e.owner_id, (array_agg(e.id ORDER BY e.active_at, e.id))[1] AS first,
               jsonb_agg(jsonb_build_object('about', jsonb_build_object('type', 'deal', 'id', e.id, 'title', e.title),
                                            'deal', e.title, 'stage', e.stage, 'company', e.company_name,
                                            'days_silent', e.days_silent) ORDER BY e.active_at, e.id) AS deals
        FROM decided AS e WHERE e.template = 'deals_long_silent' GROUP BY e.owner_id
    ), extended AS (
        UPDATE scheduled_actions AS a SET variables = jsonb_build_object('deals', (a.variables -> 'deals') || t.deals)
        FROM listed AS t
        WHERE (SELECT count(*) FROM listed) > 0    -- else all that the tenant has in the outbox would be read for none
          AND a.tenant_id = p_tenant_id AND a.kind = 'task' AND a.template = 'deals_long_silent'
          AND a.status = v_status AND a.assigned_to IS NOT DISTINCT FROM t.owner_id
        RETURNING a.assigned_to
    ), digest AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'deals', 'task', 'deals_long_silent', jsonb_build_object('deals', t.deals),
               'deal', t.first, t.owner_id, v_now + interval '5 minutes', v_status,
               concat_ws(':', 'deals_long_silent', t.first, v_today), p_run
        FROM listed AS t
        WHERE NOT EXISTS (SELECT FROM extended AS x WHERE x.assigned_to IS NOT DISTINCT FROM t.owner_id)
        RETURNING template
    )
    SELECT 'due', 'deal', count(*) FROM decided
    UNION ALL SELECT 'acted', e.template, count(*) FROM decided AS e WHERE e.waits_for IS NULL GROUP BY e.template
    UNION ALL SELECT 'skipped', e.waits_for, count(*) FROM decided AS e WHERE e.waits_for IS NOT NULL GROUP BY e.waits_for
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template
    UNION ALL SELECT 'action', g.template, count(*) FROM digest AS g GROUP BY g.template;

    IF EXISTS (SELECT FROM tenants_told_of('deal.stalled') AS t (id) WHERE t.id = p_tenant_id) THEN
        PERFORM announce(p_tenant_id, 'deal.stalled', concat_ws(':', d.id, d.follow_up_series), jsonb_build_object(
            'deal_id', d.id, 'stage', d.stage, 'owner_id', d.owner_id, 'client_id', d.client_id, 'contact_id', d.contact_id,
            'last_activity_at', d.last_activity_at, 'stalled_at', d.stalled_at))
        FROM deals AS d WHERE d.id = ANY (p_deals) AND d.stalled_at = v_now;
    END IF;
END
$$;

-- Nothing about a deal leaves once it is active again, closed, gone, or its follow-ups were switched off; and no message
-- while a case of its client is open, or when it belongs to a series that is over.
CREATE OR REPLACE FUNCTION deals_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id,
               CASE
                   WHEN d.id IS NULL OR is_gone(to_jsonb(d)) THEN 'the deal is gone'
                   WHEN is_gone(to_jsonb(l)) THEN 'the client is gone'
                   WHEN m.meaning <> 'open' OR is_over('deal', to_jsonb(d)) THEN 'the deal is closed'
                   WHEN has_decided_quote(d.tenant_id, d.id) THEN 'a quote of the deal has an outcome'
                   WHEN m.meaning IS NULL THEN format('nobody has said what the stage "%s" means', d.stage)
                   WHEN NOT d.auto_follow_up_enabled THEN 'follow-ups were switched off'
                   WHEN d.stalled_at IS NULL OR d.follow_up_series <> a.series THEN 'the deal is active again'
                   WHEN a.kind <> 'email' THEN NULL
                   WHEN d.follow_up_ended_at IS NOT NULL THEN concat_ws(': ', 'the follow-ups have ended', d.follow_up_ended_for)
                   WHEN EXISTS (SELECT FROM open_cases(d.tenant_id, d.client_id, a.contact_id)) THEN 'a case of the client is open'
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN deals AS d ON d.id = a.subject_id AND d.tenant_id = a.tenant_id
        LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = a.tenant_id
        CROSS JOIN LATERAL (SELECT word_meaning(d.tenant_id, 'deal_stage', d.stage::text) AS meaning OFFSET 0) AS m  -- asked once
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'deal' AND a.template <> 'deals_long_silent'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A follow-up counts when it was sent, and the next one is due an interval later. What cannot reach anybody is the owner's
-- business at once. What the guards refused is looked at again tomorrow, and what a person cancelled waits for a person.
CREATE OR REPLACE FUNCTION deals_settled(p_actions bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    WITH settled AS MATERIALIZED (
        SELECT a.*, coalesce(d.follow_up_count, 0) AS counted, coalesce(d.stage::text, '') AS stage,
               coalesce(k.time_zone, 'UTC') AS zone
        FROM scheduled_actions AS a
        JOIN deals AS d ON d.id = a.subject_id AND d.tenant_id = a.tenant_id AND d.follow_up_series = a.series
        LEFT JOIN tenant_calendar AS k ON k.tenant_id = a.tenant_id
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'deal' AND a.kind = 'email'
    ), intervals AS MATERIALIZED (
        -- Asked for each stage: joined, the limits of all tenants' stages would be worked out.
        SELECT s.tenant_id, s.stage,
               coalesce((SELECT c.follow_up_interval_days FROM deal_stage_limits AS c
                         WHERE c.tenant_id = s.tenant_id AND c.stage = folded_word(s.stage)), 3) AS days
        FROM (SELECT DISTINCT x.tenant_id, x.stage FROM settled AS x) AS s
    ), updated AS (
        UPDATE deals AS d SET
            follow_up_count = coalesce(d.follow_up_count, 0) + CASE s.status WHEN 'sent' THEN 1 ELSE 0 END,
            follow_up_hold = CASE
                WHEN s.status IN ('scheduled', 'dead') THEN 'its message'
                WHEN s.status = 'cancelled' AND s.code IN ('operator', 'expired') THEN s.reason
                WHEN d.follow_up_hold <> 'its message' THEN d.follow_up_hold END,
            next_follow_up_at = CASE
                -- From the full hour: a run that starts seconds earlier than this one did must find it due.
                WHEN s.status = 'sent' THEN days_later(date_trunc('hour', v_now, 'UTC'), i.days, s.zone)
                WHEN s.status = 'cancelled' AND s.code = 'wrote_since' THEN days_later(v_now, i.days, s.zone)
                WHEN s.status = 'cancelled' AND s.code NOT IN ('operator', 'expired', 'answered', 'opted_out')
                    THEN ((v_now AT TIME ZONE s.zone)::date + 1)::timestamp AT TIME ZONE s.zone END,
            follow_up_ended_at = CASE WHEN s.status IN ('skipped', 'failed') OR s.code = 'opted_out' THEN v_now
                                      WHEN s.status <> 'scheduled' THEN d.follow_up_ended_at END,
            follow_up_ended_for = CASE WHEN s.status IN ('skipped', 'failed') THEN 'unreachable'
                                       WHEN s.code = 'opted_out' THEN 'opted out'
                                       WHEN s.status <> 'scheduled' THEN d.follow_up_ended_for END
        FROM settled AS s JOIN intervals AS i ON i.tenant_id = s.tenant_id AND i.stage = s.stage
        WHERE d.id = s.subject_id
    )
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, series, client_id,
                                   contact_id, assigned_to, run_at, status, dedupe_key, run_id)
    SELECT s.tenant_id, 'deals', 'task', 'deal_unreachable',
           s.variables || jsonb_build_object('sent', s.counted, 'reason', coalesce(s.reason, s.last_error)),
           'deal', s.subject_id, s.series, s.client_id, s.contact_id, s.assigned_to, v_now,
           coalesce(action_status(s.tenant_id, 'deals'), 'scheduled'),
           concat_ws(':', 'deal', s.subject_id, 'series', s.series, 'deal_unreachable'), s.run_id
    FROM settled AS s WHERE s.status IN ('skipped', 'failed', 'dead') OR s.status = 'cancelled' AND s.code = 'expired'
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING;  -- a message tried again in vain: the owner knows
END
$$;

-- An answer is activity of the deal, and a debt: the series waits until a person acts on the deal, or ends where the
-- customer has decided. The trigger takes the first for a new beginning, so that no message of before leaves.
CREATE OR REPLACE FUNCTION deals_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM hold_deals(p_message.tenant_id, ARRAY[p_action.subject_id], p_judgement ->> 'answer');
    PERFORM cancel_open_actions(p_action, 'the customer answered');
END
$$;

-- Somebody wrote by himself: every deal that his mailbox is being followed up about waits until a person has seen to it, as do
-- his own open deals, and those of his client that are being followed up. Where that is over already, the mail still is
-- somebody's to answer.
CREATE OR REPLACE FUNCTION deals_heard(p_message inbound_messages, p_judgement jsonb) RETURNS TABLE (subject_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_deals uuid[];
BEGIN
    v_deals := ARRAY(
        SELECT a.subject_id FROM scheduled_actions AS a
        JOIN deals AS d ON d.id = a.subject_id AND d.tenant_id = a.tenant_id
        WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
          AND a.subject_type = 'deal' AND a.kind = 'email' AND a.series = d.follow_up_series AND d.stalled_at IS NOT NULL
          AND NOT is_closed_stage(d.stage)
        UNION
        SELECT d.id FROM deals AS d
        WHERE d.tenant_id = p_message.tenant_id
          AND (d.contact_id = p_message.contact_id
               OR d.client_id = p_message.client_id
                  AND (d.contact_id IS NULL OR d.stalled_at IS NOT NULL AND heeds_colleagues(d.tenant_id)))
          AND NOT is_closed_stage(d.stage) AND d.auto_follow_up_enabled);
    PERFORM hold_deals(p_message.tenant_id, ARRAY(
        SELECT d.id FROM deals AS d WHERE d.id = ANY (v_deals) AND d.tenant_id = p_message.tenant_id AND d.follow_up_ended_at IS NULL
    ), CASE p_judgement ->> 'answer' WHEN 'opt_out' THEN 'opt_out' END);
    RETURN QUERY SELECT DISTINCT x.id FROM unnest(v_deals) AS x (id);
END
$$;

CREATE OR REPLACE FUNCTION hold_deals(p_tenant_id uuid, p_deals uuid[], p_answer text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE deals AS d SET
        last_activity_at = greatest(d.last_activity_at, fleet_now()), stalled_at = NULL, next_follow_up_at = NULL,
        follow_up_count = 0, follow_up_series = d.follow_up_series + CASE WHEN d.last_activity_at IS NULL THEN 1 ELSE 0 END
    WHERE d.id = ANY (p_deals) AND d.tenant_id = p_tenant_id;
    UPDATE deals AS d SET
        follow_up_hold = CASE WHEN e.ended_for IS NULL THEN 'an answer to the customer' END,
        follow_up_ended_at = CASE WHEN e.ended_for IS NOT NULL THEN fleet_now() END,
        follow_up_ended_for = e.ended_for
    FROM (SELECT CASE p_answer WHEN 'opt_out' THEN 'opted out' WHEN 'refusal' THEN 'refused'
                               WHEN 'acceptance' THEN 'accepted' END AS ended_for) AS e
    WHERE d.id = ANY (p_deals) AND d.tenant_id = p_tenant_id;
END
$$;

REVOKE ALL ON FUNCTION run_deals_batch(uuid, integer, bigint), step_deals(uuid, uuid[], bigint), deals_guard(bigint[]),
    deals_settled(bigint[]), deals_answered(inbound_messages, scheduled_actions, jsonb), deals_heard(inbound_messages, jsonb),
    hold_deals(uuid, uuid[], text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION run_deals_batch(uuid, integer, bigint), step_deals(uuid, uuid[], bigint), deals_guard(bigint[]),
    deals_settled(bigint[]), deals_answered(inbound_messages, scheduled_actions, jsonb), deals_heard(inbound_messages, jsonb),
    hold_deals(uuid, uuid[], text) TO service_role;

SELECT register_engine('deals', 30);
