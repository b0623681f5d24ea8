-- Quotes: what a CRM calls (number, send, view, outcome) and the engine that follows up.

-- The next number of the tenant's year, Q-YYYY-0001 and on. The counter's row lock makes fifty sessions
-- queue up, and a session that rolls back gives its number back: no clash and no gap.
CREATE OR REPLACE FUNCTION next_quote_number(p_tenant_id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_year constant integer := extract(year FROM fleet_now() AT TIME ZONE 'UTC');
    v_number text;
BEGIN
    LOOP
        INSERT INTO quote_counters AS c (tenant_id, year, last_number) VALUES (p_tenant_id, v_year, 1)
        ON CONFLICT (tenant_id, year) DO UPDATE SET last_number = c.last_number + 1
        RETURNING format('Q-%s-%s', v_year, lpad(c.last_number::text, greatest(4, length(c.last_number::text)), '0'))
        INTO v_number;
        -- An imported quote may already bear it.
        EXIT WHEN NOT EXISTS (SELECT FROM quotes AS q WHERE q.tenant_id = p_tenant_id AND q.quote_number = v_number);
    END LOOP;
    RETURN v_number;
END
$$;

-- SECURITY DEFINER, as all that users call here: counters, outcomes and activities are evidence, which they add to by
-- these functions alone.
CREATE OR REPLACE FUNCTION generate_quote_number(p_tenant_id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF NOT may_act_for(p_tenant_id) THEN
        RAISE EXCEPTION 'no tenant %', p_tenant_id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN next_quote_number(p_tenant_id);
END
$$;

CREATE OR REPLACE FUNCTION number_new_quote() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.quote_number := next_quote_number(NEW.tenant_id);
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER quote_numbered
    BEFORE INSERT ON quotes
    FOR EACH ROW WHEN (NEW.quote_number IS NULL) EXECUTE FUNCTION number_new_quote();

CREATE OR REPLACE FUNCTION log_new_quote() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, created_at)
    VALUES (NEW.tenant_id, NEW.id, 'created', fleet_now());
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER quote_created
    AFTER INSERT ON quotes
    FOR EACH ROW EXECUTE FUNCTION log_new_quote();

-- Marks a draft as sent and plans the first follow-up three days later.
CREATE OR REPLACE FUNCTION send_quote(p_quote_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_quote quotes;
BEGIN
    SELECT * INTO v_quote FROM quotes WHERE id = p_quote_id AND may_act_for(tenant_id) FOR NO KEY UPDATE;
    IF v_quote.id IS NULL THEN
        RAISE EXCEPTION 'no quote %', p_quote_id USING ERRCODE = 'no_data_found';
    ELSIF v_quote.status NOT IN ('draft', 'pending_approval', 'countered') THEN
        RAISE EXCEPTION 'quote % is %, only a draft can be sent', v_quote.quote_number, v_quote.status
            USING ERRCODE = 'object_not_in_prerequisite_state';
    ELSIF v_quote.valid_until < (v_now AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'quote % was valid until %, set a later date before sending', v_quote.quote_number, v_quote.valid_until
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE quotes SET status = 'sent', sent_at = v_now,
                      next_follow_up_at = date_trunc('hour', v_now, 'UTC') + interval '3 days',
                      follow_up_count = 0, last_follow_up_at = NULL, follow_up_ended_at = NULL
    WHERE id = p_quote_id;
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, created_at)
    VALUES (v_quote.tenant_id, p_quote_id, 'sent', v_now);
END
$$;

-- Counts a view by the customer; the first one turns sent into viewed. Returns the views so far.
CREATE OR REPLACE FUNCTION record_quote_view(p_quote_id uuid, p_metadata jsonb DEFAULT '{}') RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_quote quotes;
BEGIN
    UPDATE quotes SET view_count = view_count + 1, viewed_at = coalesce(viewed_at, v_now),
                      status = CASE status WHEN 'sent' THEN 'viewed' ELSE status END
    WHERE id = p_quote_id AND status NOT IN ('draft', 'pending_approval') AND may_act_for(tenant_id)
    RETURNING * INTO v_quote;
    IF v_quote.id IS NULL THEN
        RAISE EXCEPTION 'no sent quote %', p_quote_id USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, metadata, created_at)
    VALUES (v_quote.tenant_id, p_quote_id, 'viewed', coalesce(p_metadata, '{}'), v_now);
    RETURN v_quote.view_count;
END
$$;

-- Records how a quote ended: in the quote, in quote_outcomes and in its activities, or nowhere. Follow-ups
-- stop with it. A second call corrects the first.
CREATE OR REPLACE FUNCTION record_quote_outcome(
    p_quote_id uuid, p_outcome text, p_primary_reason text DEFAULT NULL, p_secondary_reasons text[] DEFAULT '{}',
    p_competitor text DEFAULT NULL, p_competitor_amount numeric DEFAULT NULL, p_notes text DEFAULT NULL,
    p_learnings jsonb DEFAULT '{}'
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_quote quotes;
BEGIN
    IF p_outcome IS NULL OR p_outcome NOT IN ('won', 'lost', 'no_decision') THEN
        RAISE EXCEPTION 'outcome is %, it must be won, lost or no_decision', coalesce(p_outcome, 'empty')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE quotes SET
        outcome = p_outcome, outcome_reason = p_primary_reason, outcome_competitor = p_competitor, outcome_notes = p_notes,
        status = CASE
            WHEN p_outcome = 'won' THEN 'accepted'
            WHEN p_outcome = 'lost' THEN 'rejected'
            WHEN status IN ('accepted', 'rejected') THEN CASE WHEN view_count > 0 THEN 'viewed' ELSE 'sent' END
            ELSE status
        END,
        responded_at = coalesce(responded_at, v_now), next_follow_up_at = NULL
    WHERE id = p_quote_id AND may_act_for(tenant_id)
    RETURNING * INTO v_quote;
    IF v_quote.id IS NULL THEN
        RAISE EXCEPTION 'no quote %', p_quote_id USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO quote_outcomes (tenant_id, quote_id, outcome, primary_reason, secondary_reasons, competitor,
                                our_amount, competitor_amount, learnings, recorded_at, recorded_by)
    VALUES (v_quote.tenant_id, p_quote_id, p_outcome, p_primary_reason, coalesce(p_secondary_reasons, '{}'), p_competitor,
            v_quote.total_amount, p_competitor_amount, coalesce(p_learnings, '{}'), v_now, claimed_user())
    ON CONFLICT (tenant_id, quote_id) DO UPDATE SET
        outcome = excluded.outcome, primary_reason = excluded.primary_reason,
        secondary_reasons = excluded.secondary_reasons, competitor = excluded.competitor,
        our_amount = excluded.our_amount, competitor_amount = excluded.competitor_amount,
        learnings = excluded.learnings, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by;
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
    VALUES (v_quote.tenant_id, p_quote_id, 'outcome', p_primary_reason, jsonb_build_object('outcome', p_outcome), v_now);
END
$$;

-- Quotes due for a follow-up, the highest amount first, then the oldest. Reads, per day on which follow-ups
-- became due, only as many rows as the limit asks for, never the quotes that still wait; one generic plan.
CREATE OR REPLACE FUNCTION get_quotes_needing_followup(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    quote_id uuid, quote_number text, title text, status text, total_amount numeric, client_id uuid, contact_id uuid,
    deal_id uuid, sent_at timestamptz, valid_until date, view_count integer, follow_up_count integer,
    max_follow_ups integer, next_follow_up_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 20
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_seqscan = off SET enable_sort = off
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_today constant date := (v_now AT TIME ZONE 'UTC')::date;
BEGIN
    RETURN QUERY
    WITH RECURSIVE days AS (
        SELECT (SELECT q.follow_up_day FROM quotes AS q
                WHERE q.tenant_id = p_tenant_id AND q.follow_up_day IS NOT NULL
                ORDER BY q.follow_up_day LIMIT 1) AS day
        UNION ALL
        SELECT (SELECT q.follow_up_day FROM quotes AS q
                WHERE q.tenant_id = p_tenant_id AND q.follow_up_day > y.day
                ORDER BY q.follow_up_day LIMIT 1)
        FROM days AS y WHERE y.day < v_today
    ), first AS (
        SELECT f.id FROM days AS y
        CROSS JOIN LATERAL (
            SELECT q.id, q.total_amount, q.created_at FROM quotes AS q
            WHERE q.tenant_id = p_tenant_id AND q.follow_up_day = y.day
              AND (q.next_follow_up_at IS NULL OR q.next_follow_up_at <= v_now)
              AND q.follow_up_count < q.max_follow_ups
              AND (q.valid_until IS NULL OR q.valid_until >= v_today)
            ORDER BY q.total_amount DESC, q.created_at
            LIMIT p_limit
        ) AS f
        WHERE y.day <= v_today
        ORDER BY f.total_amount DESC, f.created_at
        LIMIT p_limit
    )
    SELECT q.id, q.quote_number, q.title, q.status, q.total_amount, q.client_id, q.contact_id, q.deal_id, q.sent_at,
           q.valid_until, q.view_count, q.follow_up_count, q.max_follow_ups, q.next_follow_up_at
    FROM first AS f
    JOIN quotes AS q ON q.id = f.id
    ORDER BY q.total_amount DESC, q.created_at;
END
$$;

-- One batch of one tenant: expire what is past its date, follow up the rest, hand over after the last one.
CREATE OR REPLACE FUNCTION run_quotes_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_today constant date := (v_now AT TIME ZONE 'UTC')::date;
    v_status constant text := action_status(p_tenant_id, 'quotes');
BEGIN
    IF v_status IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT q.* FROM quotes AS q
        WHERE q.tenant_id = p_tenant_id AND q.due_at <= v_now
        ORDER BY q.due_at LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), decided AS (
        SELECT q.id, q.quote_number, q.title, q.total_amount, q.valid_until, q.view_count, q.client_id,
               q.follow_up_count + 1 AS step, q.max_follow_ups, q.sent_at,
               p.id AS contact_id, p.first_name,
               l.company_name, coalesce(d.owner_id, l.owner_id) AS owner_id, o.full_name AS owner_name,
               CASE
                   WHEN q.valid_until < v_today THEN 'quote_expired'
                   WHEN p.id IS NULL THEN 'quote_no_contact'
                   WHEN q.follow_up_count < q.max_follow_ups THEN 'quote_follow_up'
                   ELSE 'quote_handover'
               END AS step_kind
        FROM claimed AS q
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
        LEFT JOIN clients AS l ON l.id = q.client_id AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS o ON o.id = coalesce(d.owner_id, l.owner_id) AND o.tenant_id = p_tenant_id
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, q.contact_id, q.client_id) AS p ON true
    ), updated AS (
        UPDATE quotes AS q SET
            status = CASE WHEN e.step_kind = 'quote_expired' THEN 'expired' ELSE q.status END,
            follow_up_count = CASE WHEN e.step_kind = 'quote_follow_up' THEN e.step ELSE q.follow_up_count END,
            last_follow_up_at = CASE WHEN e.step_kind = 'quote_follow_up' THEN v_now ELSE q.last_follow_up_at END,
            -- From the full hour: a run that starts seconds earlier than this one did must find it due.
            next_follow_up_at = CASE WHEN e.step_kind = 'quote_follow_up' THEN date_trunc('hour', v_now, 'UTC') + interval '3 days' END,
            follow_up_ended_at = CASE WHEN e.step_kind IN ('quote_no_contact', 'quote_handover') THEN v_now
                                      ELSE q.follow_up_ended_at END
        FROM decided AS e WHERE q.id = e.id
    ), logged AS (
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        SELECT p_tenant_id, e.id,
               CASE e.step_kind WHEN 'quote_expired' THEN 'expired' WHEN 'quote_follow_up' THEN 'follow_up' ELSE 'escalated' END,
               CASE e.step_kind
                   WHEN 'quote_expired' THEN 'valid until ' || e.valid_until
                   WHEN 'quote_no_contact' THEN 'no contact with an address'
                   WHEN 'quote_handover' THEN 'no answer after ' || e.max_follow_ups || ' follow-ups'
                   ELSE 'follow-up ' || e.step || ' of ' || e.max_follow_ups
               END, '{}', v_now
        FROM decided AS e
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'quotes', CASE WHEN e.step_kind = 'quote_follow_up' THEN 'email' ELSE 'task' END, e.step_kind,
               jsonb_build_object('quote_number', e.quote_number, 'title', e.title, 'amount', to_char(e.total_amount, 'FM999,999,999,990.00'),
                                  'valid_until', to_char(e.valid_until, 'FMDD FMMonth YYYY'), 'view_count', e.view_count,
                                  'company', e.company_name, 'first_name', e.first_name, 'owner_name', e.owner_name,
                                  'step', e.step, 'max_steps', e.max_follow_ups),
               'quote', e.id, e.client_id, e.contact_id, e.owner_id, v_now, v_status,
               -- Sending again (after a counter-offer) starts a new series.
               concat_ws(':', 'quote', e.id, extract(epoch FROM e.sent_at), e.step_kind,
                         CASE WHEN e.step_kind = 'quote_follow_up' THEN e.step END), p_run
        FROM decided AS e WHERE e.step_kind <> 'quote_expired'
        ORDER BY e.total_amount DESC, e.sent_at
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    )
    SELECT 'due', 'quote', count(*) FROM decided
    UNION ALL SELECT 'acted', e.step_kind, count(*) FROM decided AS e GROUP BY e.step_kind
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

CREATE OR REPLACE FUNCTION quotes_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY SELECT DISTINCT q.tenant_id FROM quotes AS q WHERE q.due_at <= v_now;
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
    SELECT min(q.due_at) FROM quotes AS q WHERE q.due_at > fleet_now()
$$;

-- Nothing about a quote leaves once it has an outcome, or is neither sent nor viewed any more.
CREATE OR REPLACE FUNCTION quotes_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id,
               CASE
                   WHEN q.id IS NULL THEN 'the quote is gone'
                   WHEN q.outcome IS NOT NULL THEN 'the quote has an outcome'
                   WHEN q.status NOT IN ('sent', 'viewed') THEN 'the quote is ' || q.status
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN quotes AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'quote'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A follow-up counts when it is written; what becomes of its message changes nothing about the quote.
CREATE OR REPLACE FUNCTION quotes_settled(p_actions bigint[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
$$;

-- An answer ends the follow-ups and is kept among the quote's activities; whether it is won, people say.
CREATE OR REPLACE FUNCTION quotes_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    UPDATE quotes AS q SET
        responded_at = coalesce(q.responded_at, v_now),
        next_follow_up_at = NULL,
        follow_up_ended_at = coalesce(q.follow_up_ended_at, v_now)
    WHERE q.id = p_action.subject_id AND q.tenant_id = p_message.tenant_id;
    IF FOUND THEN
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        VALUES (p_message.tenant_id, p_action.subject_id, 'response', p_judgement ->> 'summary',
                jsonb_build_object('inbound_message_id', p_message.id, 'from', p_message.from_address,
                                   'sentiment', p_judgement ->> 'sentiment'), v_now);
    END IF;
    PERFORM cancel_open_actions(p_action, 'the customer answered');
END
$$;

REVOKE ALL ON FUNCTION next_quote_number(uuid), generate_quote_number(uuid), number_new_quote(), log_new_quote(), send_quote(uuid),
    record_quote_view(uuid, jsonb),
    record_quote_outcome(uuid, text, text, text[], text, numeric, text, jsonb),
    get_quotes_needing_followup(uuid, integer), run_quotes_batch(uuid, integer, bigint), quotes_due_tenants(),
    quotes_due_count(), quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION generate_quote_number(uuid), send_quote(uuid), record_quote_view(uuid, jsonb),
    record_quote_outcome(uuid, text, text, text[], text, numeric, text, jsonb),
    get_quotes_needing_followup(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION run_quotes_batch(uuid, integer, bigint), quotes_due_tenants(), quotes_due_count(),
    quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb) TO service_role;

SELECT register_engine('quotes');
