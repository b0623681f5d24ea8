-- Quotes: what a CRM calls (number, send, view, outcome) and which quotes are due.

-- What a quote waits for next: a follow-up, or the end of its last day in the tenant's zone. NULL: nothing more to do.
CREATE OR REPLACE FUNCTION quote_due_at(p_quote quotes, p_zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN p_quote.status IN ('sent', 'viewed') AND p_quote.outcome IS NULL THEN least(
        CASE WHEN p_quote.follow_up_ended_at IS NULL AND p_quote.follow_up_hold IS NULL
             THEN coalesce(p_quote.next_follow_up_at, timestamptz '1970-01-01 00:00:00+00') END,
        (p_quote.valid_until + 1)::timestamp AT TIME ZONE p_zone
    ) END
$$;

-- The day (UTC) on which the next follow-up is due: one bucket of the queue, ordered by amount inside. NULL: none waits.
CREATE OR REPLACE FUNCTION quote_follow_up_day(p_quote quotes) RETURNS date
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN p_quote.status IN ('sent', 'viewed') AND p_quote.outcome IS NULL
                     AND p_quote.follow_up_ended_at IS NULL AND p_quote.follow_up_hold IS NULL
                THEN (coalesce(p_quote.next_follow_up_at, '1970-01-01 00:00:00+00') AT TIME ZONE 'UTC')::date END
$$;

-- What a CRM writes by a plain UPDATE counts as if it had called the functions below: a quote that becomes sent begins a
-- series, its first follow-up three days later; one that becomes accepted or rejected has that outcome. Every row keeps
-- what it waits for.
CREATE OR REPLACE FUNCTION keep_quote() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(NEW.tenant_id);
    -- An outcome that was corrected to "no decision" takes its quote back to sent; that is no sending.
    v_decided constant boolean := TG_OP = 'UPDATE' AND NEW.outcome IS NOT NULL AND NEW.outcome IS DISTINCT FROM OLD.outcome;
BEGIN
    IF NEW.status IN ('sent', 'viewed') AND NOT v_decided AND (TG_OP = 'INSERT' OR OLD.status NOT IN ('sent', 'viewed')) THEN
        IF TG_OP = 'UPDATE' THEN
            NEW.follow_up_series := OLD.follow_up_series + 1;
            NEW.follow_up_count := 0;
            NEW.last_follow_up_at := NULL;
            NEW.follow_up_hold := NULL;
            NEW.follow_up_ended_at := NULL;
            NEW.follow_up_ended_for := NULL;
            IF NEW.sent_at IS NOT DISTINCT FROM OLD.sent_at THEN
                NEW.sent_at := v_now;
            END IF;
            IF NEW.next_follow_up_at IS NOT DISTINCT FROM OLD.next_follow_up_at THEN
                NEW.next_follow_up_at := NULL;
            END IF;
            NEW.outcome := NULL;
            NEW.responded_at := NULL;
        END IF;
        NEW.sent_at := coalesce(NEW.sent_at, v_now);
        -- From the full hour: a run that starts seconds earlier than this was sent must find it due.
        NEW.next_follow_up_at := coalesce(NEW.next_follow_up_at, days_later(date_trunc('hour', NEW.sent_at, 'UTC'), 3, v_zone));
    ELSIF NEW.status IN ('accepted', 'rejected') AND NEW.outcome IS NULL THEN
        NEW.outcome := CASE NEW.status WHEN 'accepted' THEN 'won' ELSE 'lost' END;
        NEW.responded_at := coalesce(NEW.responded_at, v_now);
        NEW.next_follow_up_at := NULL;
    END IF;
    NEW.due_at := quote_due_at(NEW, v_zone);
    NEW.follow_up_day := quote_follow_up_day(NEW);
    RETURN NEW;
END
$$;

-- The last of the triggers before the row is written, by its name: it sees what the others set.
CREATE OR REPLACE TRIGGER quote_waits
    BEFORE INSERT OR UPDATE ON quotes
    FOR EACH ROW EXECUTE FUNCTION keep_quote();

DROP FUNCTION IF EXISTS keep_quote_due_at();

-- Where the tenant's days begin elsewhere, its open quotes end at another instant.
CREATE OR REPLACE FUNCTION move_quotes_to_zone() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE quotes AS q SET due_at = NULL  -- the trigger of the quote knows better
    WHERE q.tenant_id = NEW.tenant_id AND q.due_at IS NOT NULL AND q.valid_until IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER quotes_follow_calendar
    AFTER INSERT OR UPDATE OF time_zone ON tenant_calendar
    FOR EACH ROW EXECUTE FUNCTION move_quotes_to_zone();

-- The next number of the tenant's year, Q-YYYY-0001 and on. The counter's row lock makes fifty sessions
-- queue up, and a session that rolls back gives its number back: no clash and no gap.
CREATE OR REPLACE FUNCTION next_quote_number(p_tenant_id uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_year constant integer := extract(year FROM tenant_today(p_tenant_id));
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

-- What happened to a quote is written down whoever did it, and that it was sent or looked at is activity of its deal.
CREATE OR REPLACE FUNCTION log_quote() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_sent constant boolean := NEW.status IN ('sent', 'viewed')
        AND (TG_OP = 'INSERT' OR OLD.follow_up_series <> NEW.follow_up_series);
    v_viewed constant boolean := TG_OP = 'UPDATE' AND NEW.view_count > OLD.view_count;
    v_decided constant boolean := TG_OP = 'UPDATE' AND NEW.outcome IS NOT NULL AND NEW.outcome IS DISTINCT FROM OLD.outcome;
BEGIN
    INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
    SELECT NEW.tenant_id, NEW.id, l.happened, l.notes, l.metadata, v_now
    FROM (VALUES ('created', NULL, '{}'::jsonb, TG_OP = 'INSERT'),
                 ('sent', NULL, '{}', v_sent AND TG_OP = 'UPDATE'),
                 ('outcome', NEW.outcome_reason, jsonb_build_object('outcome', NEW.outcome), v_decided)
    ) AS l (happened, notes, metadata, holds)
    WHERE l.holds;
    IF v_decided THEN
        INSERT INTO quote_outcomes (tenant_id, quote_id, outcome, primary_reason, competitor, our_amount, recorded_at, recorded_by)
        VALUES (NEW.tenant_id, NEW.id, NEW.outcome, NEW.outcome_reason, NEW.outcome_competitor, NEW.total_amount, v_now,
                claimed_user())
        ON CONFLICT (tenant_id, quote_id) DO UPDATE SET
            outcome = excluded.outcome, primary_reason = excluded.primary_reason, competitor = excluded.competitor,
            our_amount = excluded.our_amount, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by;
    END IF;
    IF v_sent OR v_viewed THEN
        BEGIN
            -- Looking at it lifts no debt: only a quote that is sent speaks for a deal that waits for us, or is over.
            UPDATE deals AS d SET last_activity_at = greatest(
                coalesce(d.last_activity_at, d.updated_at, d.created_at), CASE TG_OP WHEN 'INSERT' THEN NEW.sent_at ELSE v_now END)
            WHERE d.id = NEW.deal_id AND d.tenant_id = NEW.tenant_id
              AND (v_sent OR d.follow_up_hold IS NULL AND d.follow_up_ended_at IS NULL);
        EXCEPTION WHEN OTHERS THEN
            IF is_transient(SQLSTATE) THEN
                RAISE;
            END IF;
            PERFORM note_fault('log_quote', 'deals', NEW.deal_id::text, SQLSTATE, SQLERRM);
        END;
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER IF EXISTS quote_created ON quotes;
CREATE OR REPLACE TRIGGER quote_changed
    AFTER INSERT OR UPDATE OF status, outcome, view_count ON quotes
    FOR EACH ROW EXECUTE FUNCTION log_quote();

DROP FUNCTION IF EXISTS log_new_quote();

-- Marks a draft, or a quote after a counter-offer, as sent; the trigger plans the first follow-up three days later. A quote
-- whose follow-ups wait for a person, or are over without an outcome, is sent again by it and begins a new series.
CREATE OR REPLACE FUNCTION send_quote(p_quote_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_quote quotes;
BEGIN
    SELECT * INTO v_quote FROM quotes WHERE id = p_quote_id AND may_act_for(tenant_id) FOR NO KEY UPDATE;
    IF v_quote.id IS NULL THEN
        RAISE EXCEPTION 'there is no quote %', p_quote_id USING ERRCODE = 'no_data_found';
    ELSIF v_quote.status NOT IN ('draft', 'pending_approval', 'countered')
          AND NOT (v_quote.status IN ('sent', 'viewed') AND v_quote.outcome IS NULL
                   AND (v_quote.follow_up_hold IS NOT NULL OR v_quote.follow_up_ended_at IS NOT NULL)) THEN
        RAISE EXCEPTION 'quote % is %, only a draft can be sent', v_quote.quote_number, v_quote.status
            USING ERRCODE = 'object_not_in_prerequisite_state';
    ELSIF v_quote.valid_until < tenant_today(v_quote.tenant_id) THEN
        RAISE EXCEPTION 'quote % was valid until %, set a later date before sending', v_quote.quote_number, v_quote.valid_until
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    UPDATE quotes SET status = 'draft' WHERE id = p_quote_id AND status IN ('sent', 'viewed');  -- so that a series begins
    UPDATE quotes SET status = 'sent', sent_at = fleet_now(), next_follow_up_at = NULL WHERE id = p_quote_id;
END
$$;

-- Lets a quote's next follow-up be due now, if it would be later; with the caller's own rights. The next run writes it.
CREATE OR REPLACE FUNCTION follow_up_quote_now(p_quote_id uuid) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_status text;
BEGIN
    UPDATE quotes AS q SET next_follow_up_at = least(q.next_follow_up_at, fleet_now())
    WHERE q.id = p_quote_id AND q.follow_up_day IS NOT NULL AND q.follow_up_count < q.max_follow_ups
      AND coalesce(q.valid_until >= tenant_today(q.tenant_id), true);
    IF NOT FOUND THEN
        SELECT q.status INTO v_status FROM quotes AS q WHERE q.id = p_quote_id;
        IF v_status IS NULL THEN
            RAISE EXCEPTION 'there is no quote %', p_quote_id USING ERRCODE = 'no_data_found';
        END IF;
        RAISE EXCEPTION 'the quote is %; a follow-up needs one that was sent, is undecided, in date, with follow-ups left and none under way',
            v_status USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
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
        RAISE EXCEPTION 'there is no sent quote %', p_quote_id USING ERRCODE = 'no_data_found';
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
    v_before quotes;
    v_quote quotes;
BEGIN
    IF p_outcome IS NULL OR p_outcome NOT IN ('won', 'lost', 'no_decision') THEN
        RAISE EXCEPTION 'outcome is %, it must be won, lost or no_decision', coalesce(p_outcome, 'empty')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO v_before FROM quotes WHERE id = p_quote_id AND may_act_for(tenant_id) FOR NO KEY UPDATE;
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
        RAISE EXCEPTION 'there is no quote %', p_quote_id USING ERRCODE = 'no_data_found';
    END IF;
    -- The trigger wrote the row and the activity, unless the outcome is the one it had.
    INSERT INTO quote_outcomes (tenant_id, quote_id, outcome, primary_reason, secondary_reasons, competitor,
                                our_amount, competitor_amount, learnings, recorded_at, recorded_by)
    VALUES (v_quote.tenant_id, p_quote_id, p_outcome, p_primary_reason, coalesce(p_secondary_reasons, '{}'), p_competitor,
            v_quote.total_amount, p_competitor_amount, coalesce(p_learnings, '{}'), v_now, claimed_user())
    ON CONFLICT (tenant_id, quote_id) DO UPDATE SET
        outcome = excluded.outcome, primary_reason = excluded.primary_reason,
        secondary_reasons = excluded.secondary_reasons, competitor = excluded.competitor,
        our_amount = excluded.our_amount, competitor_amount = excluded.competitor_amount,
        learnings = excluded.learnings, recorded_at = excluded.recorded_at, recorded_by = excluded.recorded_by;
    IF v_before.outcome IS NOT DISTINCT FROM p_outcome THEN
        INSERT INTO quote_activities (tenant_id, quote_id, activity_type, notes, metadata, created_at)
        VALUES (v_quote.tenant_id, p_quote_id, 'outcome', p_primary_reason, jsonb_build_object('outcome', p_outcome), v_now);
    END IF;
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
    v_today constant date := tenant_today(p_tenant_id);
    v_day constant date := (v_now AT TIME ZONE 'UTC')::date;  -- the buckets of follow_up_day are days in UTC
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
        FROM days AS y WHERE y.day < v_day
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
        WHERE y.day <= v_day
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

REVOKE ALL ON FUNCTION quote_due_at(quotes, text), quote_follow_up_day(quotes), keep_quote(), move_quotes_to_zone(), next_quote_number(uuid), generate_quote_number(uuid),
    number_new_quote(), log_quote(), send_quote(uuid), follow_up_quote_now(uuid), record_quote_view(uuid, jsonb),
    record_quote_outcome(uuid, text, text, text[], text, numeric, text, jsonb),
    get_quotes_needing_followup(uuid, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION generate_quote_number(uuid), send_quote(uuid), follow_up_quote_now(uuid), record_quote_view(uuid, jsonb),
    record_quote_outcome(uuid, text, text, text[], text, numeric, text, jsonb),
    get_quotes_needing_followup(uuid, integer) TO authenticated, service_role;
