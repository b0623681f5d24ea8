-- Quotes: follow up the highest amounts first, expire what is past its date, hand over after the last time.

-- One batch of one tenant: claim, then take the next step with what was claimed.
CREATE OR REPLACE FUNCTION run_quotes_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_claimed uuid[];
BEGIN
    IF action_status(p_tenant_id, 'quotes') IS NULL THEN
        RETURN;
    END IF;
    v_claimed := ARRAY(
        SELECT q.id FROM quotes AS q
        WHERE q.tenant_id = p_tenant_id AND q.due_at <= v_now
          AND NOT EXISTS (SELECT FROM items_resting AS x
                          WHERE x.item_id = q.id AND x.engine = 'quotes' AND x.tenant_id = p_tenant_id)
        ORDER BY q.due_at LIMIT p_limit
        FOR NO KEY UPDATE OF q SKIP LOCKED);
    RETURN QUERY SELECT * FROM step_in_halves('step_quotes', 'quotes', p_tenant_id, v_claimed, p_run);
END
$$;

-- The next step with each of these quotes, which the caller has locked, so that each still stands where it was found when it is
-- written: it expires past its date, is followed up, or is handed to its owner after the last time or where nobody can be
-- written to. What was written counts when it was sent, see quotes_settled; until then the quote waits for its message. Where
-- its deal, or a sister quote, is decided, or its client is gone, it rests. Where something else is to be said first, or nobody
-- knows what the deal's stage means, it waits a day.
CREATE OR REPLACE FUNCTION step_quotes(p_tenant_id uuid, p_quotes uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := tenant_today(p_tenant_id);
    v_tomorrow constant timestamptz := (v_today + 1)::timestamp AT TIME ZONE v_zone;
    v_status constant text := action_status(p_tenant_id, 'quotes');
BEGIN
    RETURN QUERY
    WITH stages AS MATERIALIZED (
        SELECT s.stage, word_meaning(p_tenant_id, 'deal_stage', s.stage) AS meaning FROM (
            SELECT DISTINCT d.stage::text AS stage FROM quotes AS q
            JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
            WHERE q.id = ANY (p_quotes)) AS s
    ), looked_at AS MATERIALIZED (
        SELECT q.id, q.ctid AS place, q.quote_number, q.title, q.total_amount, q.valid_until, q.view_count, q.client_id, q.sent_at,
               to_jsonb(q) ->> 'currency' AS currency, q.follow_up_series AS series, q.follow_up_count AS sent, q.max_follow_ups,
               p.id AS contact_id, p.first_name, folded_mailbox(p.email) AS mailbox, u.reason AS suppressed,
               l.company_name, o.id AS owner_id, o.full_name AS owner_name,
               d.id IS NOT NULL AND g.meaning IS NULL AS stage_unknown, d.stage::text AS stage,
               CASE
                   WHEN q.valid_until < v_today THEN 'quote_expired'
                   WHEN has_decided_quote(p_tenant_id, q.deal_id) OR is_gone(to_jsonb(d)) OR is_gone(to_jsonb(l))
                        OR g.meaning IN ('won', 'lost') OR is_over('deal', to_jsonb(d)) THEN 'quote_settled'
                   WHEN p.id IS NULL THEN 'quote_no_contact'
                   WHEN q.follow_up_count >= q.max_follow_ups THEN 'quote_handover'
                   WHEN u.address IS NOT NULL THEN 'quote_unreachable'
                   ELSE 'quote_follow_up'
               END AS step_kind
        FROM quotes AS q
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
        LEFT JOIN stages AS g ON g.stage = d.stage::text
        LEFT JOIN clients AS l ON l.id = q.client_id AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS w ON w.id = coalesce(d.owner_id, l.owner_id) AND w.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(w))
        LEFT JOIN profiles AS o ON o.id = coalesce(w.id, responsible_profile(p_tenant_id, 'sales'))
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, q.contact_id, q.client_id) AS p ON true
        LEFT JOIN LATERAL suppression_of(p_tenant_id, p.email, 'quotes') AS u ON true
        WHERE q.id = ANY (p_quotes)
    ), weighed AS (
        SELECT a.*, m.free_at,
               mailbox_is_full(m.room, m.waiting,
                               count(*) OVER (PARTITION BY a.mailbox, a.step_kind = 'quote_follow_up'),
                               row_number() OVER (PARTITION BY a.mailbox, a.step_kind = 'quote_follow_up'
                                                  ORDER BY a.total_amount DESC, a.sent_at, a.id)) AS full_mailbox,
               CASE
                   WHEN a.step_kind <> 'quote_follow_up' THEN NULL
                   WHEN a.stage_unknown THEN format('nobody has said what the stage "%s" means', a.stage)
                   WHEN EXISTS (SELECT FROM open_cases(p_tenant_id, a.client_id, a.contact_id))
                       THEN 'an open case of the client comes first'
               END AS yields_to
        FROM looked_at AS a
        LEFT JOIN LATERAL room_in_mailbox(p_tenant_id, a.mailbox) AS m
            ON a.step_kind = 'quote_follow_up'
    ), decided AS (
        SELECT w.*, coalesce(w.yields_to, w.full_mailbox) AS waits_for
        FROM weighed AS w
    ), updated AS (
        UPDATE quotes AS q SET
            status = CASE WHEN e.step_kind = 'quote_expired' THEN 'expired' ELSE q.status END,
            next_follow_up_at = CASE WHEN e.full_mailbox IS NOT NULL THEN e.free_at WHEN e.waits_for IS NOT NULL THEN v_tomorrow END,
            follow_up_hold = CASE WHEN e.step_kind = 'quote_follow_up' AND e.waits_for IS NULL THEN 'its message' END,
            follow_up_ended_at = CASE WHEN e.step_kind NOT IN ('quote_follow_up', 'quote_expired') THEN v_now
                                      ELSE q.follow_up_ended_at END,
            follow_up_ended_for = CASE e.step_kind WHEN 'quote_settled' THEN 'decided' WHEN 'quote_handover' THEN 'handed over'
                                                   WHEN 'quote_no_contact' THEN 'unreachable' WHEN 'quote_unreachable' THEN 'unreachable'
                                                   ELSE q.follow_up_ended_for END
        FROM decided AS e WHERE q.id = e.id AND q.ctid = e.place
    ), logged AS (
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        SELECT p_tenant_id, e.id,
               CASE e.step_kind WHEN 'quote_expired' THEN 'expired' WHEN 'quote_settled' THEN 'settled' ELSE 'escalated' END,
               CASE e.step_kind
                   WHEN 'quote_expired' THEN 'valid until ' || e.valid_until
                   WHEN 'quote_settled' THEN 'its deal, or another quote of it, is decided: no more follow-ups'
                   WHEN 'quote_no_contact' THEN 'no contact with an address'
                   WHEN 'quote_unreachable' THEN 'the address is not written to: ' || e.suppressed
                   ELSE 'no answer after ' || e.sent || ' follow-ups'
               END, '{}', v_now
        FROM decided AS e WHERE e.step_kind <> 'quote_follow_up'
    ), written AS (
        -- The same step of the same series a second time is a fault, and shows as one: its quote is set aside.
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, series,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'quotes', CASE WHEN e.step_kind = 'quote_follow_up' THEN 'email' ELSE 'task' END, e.step_kind,
               jsonb_build_object('quote_number', e.quote_number, 'title', e.title,
                                  'amount', to_char(nullif(e.total_amount::numeric, 'NaN'), 'FM999,999,999,990.00'),
                                  'currency', e.currency, 'valid_until', to_char(e.valid_until, 'FMDD FMMonth YYYY'),
                                  'view_count', e.view_count,
                                  'company', e.company_name, 'first_name', e.first_name, 'owner_name', e.owner_name,
                                  'sent', e.sent, 'step', e.sent + 1, 'max_steps', e.max_follow_ups, 'reason', e.suppressed),
               'quote', e.id, e.series, e.client_id, e.contact_id, e.owner_id, v_now, v_status,
               concat_ws(':', 'quote', e.id, 'series', e.series, e.step_kind,
                         CASE WHEN e.step_kind = 'quote_follow_up' THEN e.sent + 1 END,
                         times_in_vain(p_tenant_id, e.id, e.series, e.step_kind)), p_run
        FROM decided AS e
        WHERE e.step_kind NOT IN ('quote_expired', 'quote_settled') AND e.waits_for IS NULL
        ORDER BY e.total_amount DESC, e.sent_at
        RETURNING template
    )
    SELECT 'due', 'quote', count(*) FROM decided
    UNION ALL SELECT 'acted', e.step_kind, count(*) FROM decided AS e WHERE e.waits_for IS NULL GROUP BY e.step_kind
    UNION ALL SELECT 'skipped', e.waits_for, count(*) FROM decided AS e WHERE e.waits_for IS NOT NULL GROUP BY e.waits_for
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;

    IF EXISTS (SELECT FROM tenants_told_of('quote.expired') AS t (id) WHERE t.id = p_tenant_id) THEN
        PERFORM announce(p_tenant_id, 'quote.expired', concat_ws(':', q.id, q.valid_until), jsonb_build_object(
            'quote_id', q.id, 'quote_number', q.quote_number, 'deal_id', q.deal_id, 'client_id', q.client_id,
            'contact_id', q.contact_id, 'valid_until', q.valid_until))
        FROM quotes AS q WHERE q.id = ANY (p_quotes) AND q.status = 'expired';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION quotes_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_first constant uuid[] := ARRAY(SELECT q.tenant_id FROM quotes AS q WHERE q.due_at <= v_now ORDER BY q.due_at LIMIT few_due());
BEGIN
    IF cardinality(v_first) < few_due() THEN
        RETURN QUERY SELECT DISTINCT f.id FROM unnest(v_first) AS f (id);
    ELSE
        RETURN QUERY SELECT t.id FROM tenants AS t
        WHERE EXISTS (SELECT FROM quotes AS q WHERE q.tenant_id = t.id AND q.due_at <= v_now OFFSET 0);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION quotes_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT q.tenant_id, count(*) FROM quotes AS q WHERE q.due_at <= fleet_now() GROUP BY q.tenant_id
$$;

CREATE OR REPLACE FUNCTION quotes_next_due() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT min(q.due_at) FROM quotes AS q
    WHERE q.due_at > fleet_now() AND action_status(q.tenant_id, 'quotes') IS NOT NULL
$$;

-- Nothing about a quote leaves once it has an outcome, or is neither sent nor viewed any more, or its client is gone; and no
-- message once its last day is over, while a case of its client is open, or when it belongs to a series that is over.
CREATE OR REPLACE FUNCTION quotes_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id,
               CASE
                   WHEN q.id IS NULL THEN 'the quote is gone'
                   WHEN is_gone(to_jsonb(l)) THEN 'the client is gone'
                   WHEN q.outcome IS NOT NULL THEN 'the quote has an outcome'
                   WHEN q.status NOT IN ('sent', 'viewed') THEN 'the quote is ' || q.status
                   WHEN has_decided_quote(q.tenant_id, q.deal_id) THEN 'another quote of the deal has an outcome'
                   WHEN is_gone(to_jsonb(d)) THEN 'the deal is gone'
                   WHEN word_meaning(q.tenant_id, 'deal_stage', d.stage::text) IN ('won', 'lost') OR is_over('deal', to_jsonb(d))
                       THEN 'the deal is closed'
                   WHEN q.follow_up_series <> a.series THEN 'the quote was sent again'
                   WHEN a.kind <> 'email' THEN NULL
                   WHEN q.valid_until < tenant_today(a.tenant_id) THEN 'the quote is no longer valid'
                   WHEN q.follow_up_ended_at IS NOT NULL THEN concat_ws(': ', 'the follow-ups have ended', q.follow_up_ended_for)
                   WHEN EXISTS (SELECT FROM open_cases(q.tenant_id, q.client_id, a.contact_id)) THEN 'a case of the client is open'
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN quotes AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = a.tenant_id
        LEFT JOIN clients AS l ON l.id = q.client_id AND l.tenant_id = a.tenant_id
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'quote'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A follow-up counts when it was sent, and the next one is due three days later. What cannot reach anybody is the owner's
-- business at once. What the guards refused is looked at again tomorrow, and what a person cancelled waits for a person.
CREATE OR REPLACE FUNCTION quotes_settled(p_actions bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    WITH settled AS MATERIALIZED (
        SELECT a.*, q.follow_up_count AS counted, tenant_zone(a.tenant_id) AS zone
        FROM scheduled_actions AS a
        JOIN quotes AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id AND q.follow_up_series = a.series
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'quote' AND a.kind = 'email'
    ), updated AS (
        UPDATE quotes AS q SET
            follow_up_count = q.follow_up_count + CASE s.status WHEN 'sent' THEN 1 ELSE 0 END,
            last_follow_up_at = CASE s.status WHEN 'sent' THEN v_now ELSE q.last_follow_up_at END,
            follow_up_hold = CASE
                WHEN s.status IN ('scheduled', 'dead') THEN 'its message'
                WHEN s.status = 'cancelled' AND s.code IN ('operator', 'expired') THEN s.reason
                WHEN q.follow_up_hold <> 'its message' THEN q.follow_up_hold END,
            next_follow_up_at = CASE
                -- From the full hour: a run that starts seconds earlier than this one did must find it due.
                WHEN s.status = 'sent' OR s.status = 'cancelled' AND s.code = 'wrote_since'
                    THEN days_later(date_trunc('hour', v_now, 'UTC'), 3, s.zone)
                WHEN s.status = 'cancelled' AND s.code NOT IN ('operator', 'expired', 'answered', 'opted_out')
                    THEN ((v_now AT TIME ZONE s.zone)::date + 1)::timestamp AT TIME ZONE s.zone END,
            follow_up_ended_at = CASE WHEN s.status IN ('skipped', 'failed') OR s.code = 'opted_out' THEN v_now
                                      WHEN s.status <> 'scheduled' THEN q.follow_up_ended_at END,
            follow_up_ended_for = CASE WHEN s.status IN ('skipped', 'failed') THEN 'unreachable'
                                       WHEN s.code = 'opted_out' THEN 'opted out'
                                       WHEN s.status <> 'scheduled' THEN q.follow_up_ended_for END
        FROM settled AS s WHERE q.id = s.subject_id
    ), logged AS (
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        SELECT s.tenant_id, s.subject_id, CASE s.status WHEN 'sent' THEN 'follow_up' ELSE 'escalated' END,
               CASE s.status WHEN 'sent' THEN format('follow-up %s of %s', s.counted + 1, s.variables ->> 'max_steps')
                             ELSE 'nobody was reached: ' || coalesce(s.reason, s.last_error) END, '{}', v_now
        FROM settled AS s WHERE s.status IN ('sent', 'skipped', 'failed')
    )
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, series, client_id,
                                   contact_id, assigned_to, run_at, status, dedupe_key, run_id)
    SELECT s.tenant_id, 'quotes', 'task', 'quote_unreachable',
           s.variables || jsonb_build_object('sent', s.counted, 'reason', coalesce(s.reason, s.last_error)),
           'quote', s.subject_id, s.series, s.client_id, s.contact_id, s.assigned_to, v_now,
           coalesce(action_status(s.tenant_id, 'quotes'), 'scheduled'),
           concat_ws(':', 'quote', s.subject_id, 'series', s.series, 'quote_unreachable'), s.run_id
    FROM settled AS s WHERE s.status IN ('skipped', 'failed', 'dead') OR s.status = 'cancelled' AND s.code = 'expired'
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING;  -- a message tried again in vain: the owner knows
END
$$;

-- An answer is a debt: the series ends, and begins again only when a person sends the quote again. It is kept among the
-- quote's activities; whether the quote is won, people say.
CREATE OR REPLACE FUNCTION quotes_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM note_answer_to_quotes(p_message, ARRAY[p_action.subject_id], p_judgement, 'answered');
    -- What was answered about the quote was answered about its deal.
    PERFORM hold_deals(p_message.tenant_id, ARRAY(
        SELECT q.deal_id FROM quotes AS q
        WHERE q.id = p_action.subject_id AND q.tenant_id = p_message.tenant_id AND q.deal_id IS NOT NULL
    ), p_judgement ->> 'answer');
    PERFORM cancel_open_actions(p_action, 'the customer answered');
END
$$;

-- Somebody wrote by himself: every quote that his mailbox was followed up about, and every open one of his client's, waits
-- until a person has seen to it. Where the follow-ups are over already, the mail still is somebody's to answer.
CREATE OR REPLACE FUNCTION quotes_heard(p_message inbound_messages, p_judgement jsonb) RETURNS TABLE (subject_id uuid)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_quotes uuid[];
BEGIN
    v_quotes := ARRAY(
        SELECT a.subject_id FROM scheduled_actions AS a
        JOIN quotes AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id
        WHERE a.tenant_id = p_message.tenant_id AND a.mailbox = folded_mailbox(p_message.from_address)
          AND a.subject_type = 'quote' AND a.kind = 'email' AND a.series = q.follow_up_series
          AND q.status IN ('sent', 'viewed') AND q.outcome IS NULL
        UNION
        SELECT q.id FROM quotes AS q
        WHERE q.tenant_id = p_message.tenant_id
          AND (q.contact_id = p_message.contact_id
               OR q.client_id = p_message.client_id AND (q.contact_id IS NULL OR heeds_colleagues(q.tenant_id)))
          AND q.status IN ('sent', 'viewed') AND q.outcome IS NULL);
    PERFORM note_answer_to_quotes(p_message, v_quotes, p_judgement, NULL);
    RETURN QUERY SELECT DISTINCT x.id FROM unnest(v_quotes) AS x (id);
END
$$;

-- p_ended_for: why the follow-ups are over where the customer has not decided; NULL: it is not sure that this quote is
-- meant, so that they wait for a person.
CREATE OR REPLACE FUNCTION note_answer_to_quotes(
    p_message inbound_messages, p_quotes uuid[], p_judgement jsonb, p_ended_for text
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH noted AS (
        UPDATE quotes AS q SET
            responded_at = coalesce(q.responded_at, fleet_now()),
            next_follow_up_at = NULL,
            follow_up_hold = CASE WHEN coalesce(e.ended_for, q.follow_up_ended_for) IS NULL THEN 'an answer to the customer' END,
            follow_up_ended_at = CASE WHEN e.ended_for IS NULL THEN q.follow_up_ended_at
                                      ELSE coalesce(q.follow_up_ended_at, fleet_now()) END,
            follow_up_ended_for = coalesce(e.ended_for, q.follow_up_ended_for)
        FROM (SELECT CASE WHEN p_judgement ->> 'answer' = 'opt_out' THEN 'opted out'
                          WHEN p_ended_for IS NULL THEN NULL
                          WHEN p_judgement ->> 'answer' = 'refusal' THEN 'refused'
                          WHEN p_judgement ->> 'answer' = 'acceptance' THEN 'accepted'
                          ELSE p_ended_for END AS ended_for) AS e
        WHERE q.id = ANY (p_quotes) AND q.tenant_id = p_message.tenant_id
        RETURNING q.id
    )
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
    SELECT p_message.tenant_id, n.id, 'response', p_judgement ->> 'summary',
           jsonb_build_object('inbound_message_id', p_message.id, 'from', p_message.from_address,
                              'sentiment', p_judgement ->> 'sentiment'), fleet_now()
    FROM noted AS n
$$;

REVOKE ALL ON FUNCTION run_quotes_batch(uuid, integer, bigint), step_quotes(uuid, uuid[], bigint), quotes_due_tenants(),
    quotes_due_count(), quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb), quotes_heard(inbound_messages, jsonb),
    note_answer_to_quotes(inbound_messages, uuid[], jsonb, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION run_quotes_batch(uuid, integer, bigint), step_quotes(uuid, uuid[], bigint),
    quotes_due_tenants(), quotes_due_count(), quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb), quotes_heard(inbound_messages, jsonb),
    note_answer_to_quotes(inbound_messages, uuid[], jsonb, text) TO service_role;

SELECT register_engine('quotes', 20);
