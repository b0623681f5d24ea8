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

-- The next step with each of these quotes, which the caller has locked: it expires past its date, is followed up, or is
-- handed over after the last time or for want of a contact. Where its deal, or a sister quote, is decided, it rests.
CREATE OR REPLACE FUNCTION step_quotes(p_tenant_id uuid, p_quotes uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := tenant_today(p_tenant_id);
    v_status constant text := action_status(p_tenant_id, 'quotes');
BEGIN
    RETURN QUERY
    WITH decided AS (
        SELECT q.id, q.quote_number, q.title, q.total_amount, q.valid_until, q.view_count, q.client_id,
               q.follow_up_count + 1 AS step, q.max_follow_ups, q.sent_at,
               p.id AS contact_id, p.first_name,
               l.company_name, coalesce(d.owner_id, l.owner_id) AS owner_id, o.full_name AS owner_name,
               CASE
                   WHEN q.valid_until < v_today THEN 'quote_expired'
                   WHEN has_decided_quote(p_tenant_id, q.deal_id) OR is_gone(to_jsonb(d))
                        OR word_meaning(p_tenant_id, 'deal_stage', d.stage::text) IN ('won', 'lost') THEN 'quote_settled'
                   WHEN p.id IS NULL THEN 'quote_no_contact'
                   WHEN q.follow_up_count < q.max_follow_ups THEN 'quote_follow_up'
                   ELSE 'quote_handover'
               END AS step_kind
        FROM quotes AS q
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = p_tenant_id
        LEFT JOIN clients AS l ON l.id = q.client_id AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS o ON o.id = coalesce(d.owner_id, l.owner_id) AND o.tenant_id = p_tenant_id
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, q.contact_id, q.client_id) AS p ON true
        WHERE q.id = ANY (p_quotes)
    ), updated AS (
        UPDATE quotes AS q SET
            status = CASE WHEN e.step_kind = 'quote_expired' THEN 'expired' ELSE q.status END,
            follow_up_count = CASE WHEN e.step_kind = 'quote_follow_up' THEN e.step ELSE q.follow_up_count END,
            last_follow_up_at = CASE WHEN e.step_kind = 'quote_follow_up' THEN v_now ELSE q.last_follow_up_at END,
            -- From the full hour: a run that starts seconds earlier than this one did must find it due.
            next_follow_up_at = CASE WHEN e.step_kind = 'quote_follow_up' THEN days_later(date_trunc('hour', v_now, 'UTC'), 3, v_zone) END,
            follow_up_ended_at = CASE WHEN e.step_kind IN ('quote_no_contact', 'quote_handover', 'quote_settled') THEN v_now
                                      ELSE q.follow_up_ended_at END
        FROM decided AS e WHERE q.id = e.id
    ), logged AS (
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        SELECT p_tenant_id, e.id,
               CASE e.step_kind WHEN 'quote_expired' THEN 'expired' WHEN 'quote_follow_up' THEN 'follow_up'
                                WHEN 'quote_settled' THEN 'settled' ELSE 'escalated' END,
               CASE e.step_kind
                   WHEN 'quote_expired' THEN 'valid until ' || e.valid_until
                   WHEN 'quote_settled' THEN 'its deal, or another quote of it, is decided: no more follow-ups'
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
        FROM decided AS e WHERE e.step_kind NOT IN ('quote_expired', 'quote_settled')
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
    SELECT min(q.due_at) FROM quotes AS q
    WHERE q.due_at > fleet_now() AND action_status(q.tenant_id, 'quotes') IS NOT NULL
$$;

-- Nothing about a quote leaves once it has an outcome, or is neither sent nor viewed any more; and no message once its last
-- day is over.
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
                   WHEN has_decided_quote(q.tenant_id, q.deal_id) THEN 'another quote of the deal has an outcome'
                   WHEN word_meaning(q.tenant_id, 'deal_stage', d.stage::text) IN ('won', 'lost') THEN 'the deal is closed'
                   WHEN a.kind = 'email' AND q.valid_until < tenant_today(a.tenant_id) THEN 'the quote is no longer valid'
               END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN quotes AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id
        LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = a.tenant_id
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

REVOKE ALL ON FUNCTION run_quotes_batch(uuid, integer, bigint), step_quotes(uuid, uuid[], bigint), quotes_due_tenants(),
    quotes_due_count(), quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION run_quotes_batch(uuid, integer, bigint), step_quotes(uuid, uuid[], bigint),
    quotes_due_tenants(), quotes_due_count(), quotes_next_due(), quotes_guard(bigint[]), quotes_settled(bigint[]),
    quotes_answered(inbound_messages, scheduled_actions, jsonb) TO service_role;

SELECT register_engine('quotes');
