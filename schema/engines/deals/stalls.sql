-- Deals: what counts as activity and as a stall, by stage, and which stalled deals are due.

-- The limits of a stage, once per stage whatever its spelling: of several rows the newest counts.
CREATE OR REPLACE VIEW deal_stage_limits WITH (security_invoker = true) AS
SELECT DISTINCT ON (c.tenant_id, folded_word(c.stage))
       c.tenant_id, folded_word(c.stage) AS stage, c.max_days_before_stale, c.follow_up_interval_days, c.max_follow_ups
FROM deal_stage_config AS c
ORDER BY c.tenant_id, folded_word(c.stage), c.created_at DESC, c.id;

-- The deals the fleet may follow up, and since when each is silent: the one definition behind every read
-- and claim. Until a deal is first touched, the CRM's own updated_at tells its last activity; the indexes know of such a
-- deal only that it was not before active_from, because updated_at in an index would make every edit of every deal write
-- to all indexes. A deal with stalls_at is open: its trigger has asked what the stage means. Moments are read as the
-- indexes keep them, by crm_instant. An enum stage is read as its word, without the order of the index. The config table is
-- named for no rows: who drops it with CASCADE (P1's own rollback does, before it drops columns of deals) takes the view
-- along instead of being refused by it.
CREATE OR REPLACE VIEW deals_in_follow_up WITH (security_invoker = true) AS
SELECT d.id, d.tenant_id, d.title::text AS title, d.stage::text AS stage, d.value, d.client_id, d.contact_id, d.owner_id,
       coalesce(crm_instant(d.last_activity_at), crm_instant(d.updated_at), crm_instant(d.created_at)) AS active_at,
       crm_instant(d.stalled_at) AS stalled_at, d.stalls_at, crm_instant(d.next_follow_up_at) AS next_follow_up_at,
       coalesce(d.follow_up_count, 0)::integer AS follow_up_count,
       date_trunc('hour', crm_instant(d.next_follow_up_at) AT TIME ZONE 'UTC') AS follow_up_hour,
       coalesce(crm_instant(d.next_follow_up_at), d.stalls_at, crm_instant(d.created_at), '-infinity') AS due_from,
       d.follow_up_series,
       coalesce(crm_instant(d.last_activity_at), crm_instant(d.created_at), '-infinity') AS active_from,
       is_gone(to_jsonb(d)) OR is_over('deal', to_jsonb(d)) AS gone, d.ctid AS place
FROM deals AS d
WHERE (d.stalls_at IS NOT NULL OR NOT is_closed_stage(d.stage))
  AND d.auto_follow_up_enabled
  AND d.follow_up_ended_at IS NULL
  AND d.follow_up_hold IS NULL
  AND 'deal_stage_config'::regclass IS NOT NULL;

CREATE OR REPLACE FUNCTION seed_default_deal_stages(p_tenant_id uuid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO deal_stage_config (tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups)
    VALUES (p_tenant_id, 'lead', 3, 2, 5), (p_tenant_id, 'qualified', 7, 3, 5),
           (p_tenant_id, 'proposal', 5, 2, 7), (p_tenant_id, 'negotiation', 7, 3, 5)
    ON CONFLICT (tenant_id, stage) DO NOTHING
$$;

CREATE OR REPLACE FUNCTION seed_new_tenant() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM seed_default_deal_stages(NEW.id);
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    PERFORM note_fault('seed_new_tenant', 'tenants', NEW.id::text, SQLSTATE, SQLERRM);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER tenant_created
    AFTER INSERT ON tenants
    FOR EACH ROW EXECUTE FUNCTION seed_new_tenant();

-- When it stalls: so many days after its last activity as its stage allows, seven where the stage has no limits. A stage
-- that means won or lost for this tenant ends the series at once: the index knows only the words that every CRM has.
-- One query for all that is looked up, and by indexes whatever the tables' size when it was planned: it runs in every
-- write of the CRM's.
CREATE OR REPLACE FUNCTION plan_deal(p_deal deals) RETURNS deals
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    v_word constant text := folded_word(p_deal.stage::text);
    v_meaning text;
    v_days integer;
    v_zone text;
BEGIN
    SELECT (SELECT w.meaning FROM crm_words AS w
            WHERE w.tenant_id = p_deal.tenant_id AND w.kind = 'deal_stage' AND w.word = v_word),
           (SELECT l.max_days_before_stale FROM deal_stage_limits AS l WHERE l.tenant_id = p_deal.tenant_id AND l.stage = v_word),
           (SELECT c.time_zone FROM tenant_calendar AS c WHERE c.tenant_id = p_deal.tenant_id)
    INTO v_meaning, v_days, v_zone;
    IF coalesce(v_meaning, shipped_meaning('deal_stage', p_deal.stage)) IN ('won', 'lost') THEN
        p_deal.stalls_at := NULL;
        p_deal.follow_up_ended_for := CASE WHEN p_deal.follow_up_ended_at IS NULL THEN 'closed' ELSE p_deal.follow_up_ended_for END;
        p_deal.follow_up_ended_at := coalesce(p_deal.follow_up_ended_at, fleet_now());
    ELSE
        p_deal.stalls_at := days_later(p_deal.last_activity_at, coalesce(v_days, 7), coalesce(v_zone, 'UTC'));
    END IF;
    RETURN p_deal;
END
$$;

DROP FUNCTION IF EXISTS deal_stalls_at(uuid, text, timestamptz);  -- plan_deal asks for all at once

-- A new deal is active now.
CREATE OR REPLACE FUNCTION note_new_deal() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_row constant deals := NEW;
BEGIN
    NEW.last_activity_at := coalesce(NEW.last_activity_at, fleet_now());
    RETURN plan_deal(NEW);
EXCEPTION WHEN OTHERS THEN
    PERFORM note_fault('note_new_deal', 'deals', v_row.id::text, SQLSTATE, SQLERRM);
    RETURN v_row;
END
$$;

-- Real activity (stage, value, probability, close date, description, or another last_activity_at) clears
-- the stall and the series. The fleet's own outreach changes none of these columns. Whatever is first written to a deal
-- that came with a CRM, its last activity (NULL until then) is written down with it: that is no activity either.
CREATE OR REPLACE FUNCTION update_deal_last_activity() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_row constant deals := NEW;
BEGIN
    IF OLD.last_activity_at IS NOT NULL
       OR (NEW.stage, NEW.value, NEW.probability, NEW.expected_close_date, NEW.description)
          IS DISTINCT FROM (OLD.stage, OLD.value, OLD.probability, OLD.expected_close_date, OLD.description)
    THEN
        IF NEW.last_activity_at IS NOT DISTINCT FROM OLD.last_activity_at THEN
            NEW.last_activity_at := fleet_now();
        END IF;
        -- What was begun does not go on: the next stall begins anew.
        IF OLD.stalled_at IS NOT NULL OR OLD.follow_up_count > 0 OR OLD.follow_up_hold IS NOT NULL
           OR OLD.follow_up_ended_at IS NOT NULL THEN
            NEW.follow_up_series := OLD.follow_up_series + 1;
        END IF;
        NEW.stalled_at := NULL;
        NEW.next_follow_up_at := NULL;
        NEW.follow_up_count := 0;
        NEW.follow_up_hold := NULL;
        NEW.follow_up_ended_at := NULL;
        NEW.follow_up_ended_for := NULL;
    ELSE
        NEW.last_activity_at := coalesce(NEW.last_activity_at, OLD.updated_at, OLD.created_at);
    END IF;
    RETURN plan_deal(NEW);
EXCEPTION WHEN OTHERS THEN
    PERFORM note_fault('update_deal_last_activity', 'deals', v_row.id::text, SQLSTATE, SQLERRM);
    RETURN v_row;
END
$$;

CREATE OR REPLACE TRIGGER deal_activity_insert
    BEFORE INSERT ON deals
    FOR EACH ROW EXECUTE FUNCTION note_new_deal();

-- What has changed is asked, not which columns the statement names: a CRM's own trigger may set others.
CREATE OR REPLACE TRIGGER deal_activity_update
    BEFORE UPDATE ON deals
    FOR EACH ROW WHEN (OLD.last_activity_at IS NULL OR
        (NEW.stage, NEW.value, NEW.probability, NEW.expected_close_date, NEW.description, NEW.last_activity_at)
        IS DISTINCT FROM
        (OLD.stage, OLD.value, OLD.probability, OLD.expected_close_date, OLD.description, OLD.last_activity_at))
    EXECUTE FUNCTION update_deal_last_activity();

-- days_in_previous_stage counts from the previous stage change, else from the deal's creation: updated_at moves with
-- every edit and says nothing about stages. Where neither is known, it is not known. By the deal alone and without
-- sequential scans: a plan made while the history was empty, or one that goes back through all of the tenant's, would read
-- more with each deal of a bulk change.
CREATE OR REPLACE FUNCTION log_deal_stage_change() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
BEGIN
    INSERT INTO deal_stage_history (tenant_id, deal_id, from_stage, to_stage, changed_at, changed_by, days_in_previous_stage)
    SELECT t.id, NEW.id, OLD.stage, NEW.stage, s.now, claimed_user(),
           CASE WHEN s.since IS NOT NULL THEN greatest(0, extract(day FROM s.now - s.since)) END
    FROM tenants AS t
    CROSS JOIN LATERAL (    -- each looked up once
        SELECT fleet_now() AS now,
               coalesce((SELECT max(h.changed_at) FILTER (WHERE h.tenant_id = NEW.tenant_id)
                         FROM deal_stage_history AS h WHERE h.deal_id = NEW.id),
                        NEW.created_at) AS since
        OFFSET 0
    ) AS s
    WHERE t.id = NEW.tenant_id;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    PERFORM note_fault('log_deal_stage_change', 'deals', NEW.id::text, SQLSTATE, SQLERRM);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER deal_stage_change
    AFTER UPDATE ON deals
    FOR EACH ROW WHEN (OLD.stage IS DISTINCT FROM NEW.stage AND NEW.stage IS NOT NULL AND NEW.tenant_id IS NOT NULL)
    EXECUTE FUNCTION log_deal_stage_change();

-- New limits count at once: stalls_at follows, and a deal that no longer counts as stalled leaves its series;
-- should it stall again in the same silence, the series goes on where it was.
CREATE OR REPLACE FUNCTION apply_stage_limits() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_tenant constant uuid := coalesce(NEW.tenant_id, OLD.tenant_id);
    v_zone constant text := tenant_zone(v_tenant);
    v_stages text[] := '{}';
BEGIN
    IF TG_OP <> 'DELETE' THEN
        v_stages := v_stages || folded_word(NEW.stage);
    END IF;
    IF TG_OP <> 'INSERT' THEN
        v_stages := v_stages || folded_word(OLD.stage);
    END IF;
    UPDATE deals AS d SET
        stalls_at = n.stalls_at,
        stalled_at = CASE WHEN n.stalls_at < v_now THEN d.stalled_at END,
        next_follow_up_at = CASE WHEN n.stalls_at < v_now THEN d.next_follow_up_at END
    FROM (
        SELECT o.id, days_later(coalesce(o.last_activity_at, o.updated_at, o.created_at),
                                coalesce(l.max_days_before_stale, 7), v_zone) AS stalls_at
        FROM deals AS o
        LEFT JOIN deal_stage_limits AS l ON l.tenant_id = v_tenant AND l.stage = folded_word(o.stage::text)
        WHERE o.tenant_id = v_tenant AND folded_word(o.stage::text) = ANY (v_stages)
    ) AS n
    WHERE d.id = n.id AND d.stalls_at <> n.stalls_at;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER stage_limits_changed
    AFTER INSERT OR UPDATE OF stage, max_days_before_stale OR DELETE ON deal_stage_config
    FOR EACH ROW EXECUTE FUNCTION apply_stage_limits();

-- The open stages in which deals wait for their first follow-up: a loose scan that reads one index entry per stage,
-- however many deals are in it. Deals in a stage that nobody knows wait until somebody says what it means.
CREATE OR REPLACE FUNCTION deal_stages_waiting(p_tenant_id uuid) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    RETURN ARRAY(
        WITH RECURSIVE stages AS (
            SELECT (SELECT d.stage FROM deals_in_follow_up AS d
                    WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NULL
                    ORDER BY d.stage LIMIT 1) AS stage
            UNION ALL
            SELECT (SELECT d.stage FROM deals_in_follow_up AS d
                    WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NULL AND d.stage > s.stage
                    ORDER BY d.stage LIMIT 1)
            FROM stages AS s WHERE s.stage IS NOT NULL
        )
        SELECT s.stage FROM stages AS s
        WHERE s.stage IS NOT NULL AND coalesce(    -- word_meaning, without calling a function for each stage
            (SELECT w.meaning FROM crm_words AS w
             WHERE w.tenant_id = p_tenant_id AND w.kind = 'deal_stage' AND w.word = folded_word(s.stage)),
            shipped_meaning('deal_stage', s.stage)) = 'open');
END
$$;

-- The first of a tenant's stalled deals that are due for a step, the longest silent first. Reads per stage, and per hour at which
-- follow-ups became due, only as many rows as the limit asks for, and never those that still wait. The plan costs more
-- than its execution and must not depend on the tenant: one generic plan is made per session, and each branch stops in
-- the order of its index. SECURITY DEFINER: beneath a policy PostgreSQL looks up nothing by an hour that it works out, and
-- would read all deals of the tenant. It tells ids alone, to who may act for the tenant; what they are is read as the caller.
CREATE OR REPLACE FUNCTION first_stalled_deals(p_tenant_id uuid, p_limit integer) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 20
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_seqscan = off SET enable_sort = off
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_hour constant timestamp := date_trunc('hour', v_now AT TIME ZONE 'UTC');
    v_stages text[];
BEGIN
    IF NOT may_act_for(p_tenant_id) THEN
        RETURN;
    END IF;
    v_stages := deal_stages_waiting(p_tenant_id);
    RETURN QUERY
    WITH RECURSIVE hours AS (
        SELECT (SELECT d.follow_up_hour FROM deals_in_follow_up AS d
                WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NOT NULL
                ORDER BY d.follow_up_hour LIMIT 1) AS hour
        UNION ALL
        SELECT (SELECT d.follow_up_hour FROM deals_in_follow_up AS d
                WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NOT NULL AND d.follow_up_hour > h.hour
                ORDER BY d.follow_up_hour LIMIT 1)
        FROM hours AS h WHERE h.hour < v_hour
    ), due AS (
        SELECT n.id, n.active_at FROM unnest(v_stages) AS s (stage)
        LEFT JOIN deal_stage_limits AS c ON c.tenant_id = p_tenant_id AND c.stage = folded_word(s.stage)
        CROSS JOIN LATERAL (    -- worked out once for a stage, not for each of its deals
            SELECT days_later(v_now, -coalesce(c.max_days_before_stale, 7), v_zone) AS silent_since OFFSET 0) AS x
        CROSS JOIN LATERAL (
            SELECT d.id, d.active_at FROM deals_in_follow_up AS d
            WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NULL AND d.stage = s.stage
              AND d.active_from < x.silent_since AND d.active_at < x.silent_since
            ORDER BY d.active_from LIMIT p_limit
        ) AS n
        UNION ALL
        SELECT f.id, f.active_at FROM hours AS h
        CROSS JOIN LATERAL (
            SELECT d.id, d.active_from AS active_at FROM deals_in_follow_up AS d
            WHERE d.tenant_id = p_tenant_id AND d.next_follow_up_at IS NOT NULL AND d.follow_up_hour = h.hour
              AND d.next_follow_up_at <= v_now AND coalesce(d.stalls_at, days_later(d.active_from, 7, v_zone)) < v_now
            ORDER BY d.active_from LIMIT p_limit
        ) AS f
        WHERE h.hour <= v_hour
    )
    SELECT u.id FROM due AS u ORDER BY u.active_at LIMIT p_limit;
END
$$;

-- Stalled deals that are due for a step (a follow-up, or the hand-over after the last one), the longest silent first: those of
-- first_stalled_deals that the caller may see.
CREATE OR REPLACE FUNCTION get_stalled_deals(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    deal_id uuid, title text, stage text, value numeric, client_id uuid, contact_id uuid, owner_id uuid,
    last_activity_at timestamptz, days_without_activity integer, follow_up_count integer, max_follow_ups integer,
    next_follow_up_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 20
SET plan_cache_mode = force_generic_plan SET enable_bitmapscan = off SET enable_seqscan = off
AS $$
DECLARE
    v_zone constant text := tenant_zone(p_tenant_id);
    v_today constant date := (fleet_now() AT TIME ZONE v_zone)::date;
BEGIN
    RETURN QUERY
    SELECT d.id, d.title, d.stage, d.value::numeric, d.client_id, d.contact_id, d.owner_id, d.active_at,
           v_today - (d.active_at AT TIME ZONE v_zone)::date, d.follow_up_count, coalesce(c.max_follow_ups, 5),
           d.next_follow_up_at
    FROM first_stalled_deals(p_tenant_id, p_limit) AS f (id)
    JOIN deals_in_follow_up AS d ON d.id = f.id
    CROSS JOIN LATERAL (SELECT folded_word(d.stage) AS stage OFFSET 0) AS w    -- once for a deal, not for each limit
    LEFT JOIN deal_stage_limits AS c ON c.tenant_id = p_tenant_id AND c.stage = w.stage
    ORDER BY d.active_at;
END
$$;

-- A deal that was never touched has no stalls_at yet and may be named too early; its own stage's days and its updated_at
-- then decide. Where very many are due, a tenant is asked for its first follow-up, and for the longest silent deal of each
-- of its stages: an index of tenants and moments would cost every write of the CRM's.
CREATE OR REPLACE FUNCTION deals_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_hour constant timestamp := date_trunc('hour', v_now AT TIME ZONE 'UTC');
    v_first constant uuid[] := ARRAY(
        SELECT d.tenant_id FROM deals_in_follow_up AS d WHERE d.due_from <= v_now ORDER BY d.due_from LIMIT few_due());
BEGIN
    IF cardinality(v_first) < few_due() THEN
        RETURN QUERY SELECT DISTINCT f.id FROM unnest(v_first) AS f (id);
    ELSE
        RETURN QUERY SELECT t.id FROM tenants AS t
        WHERE EXISTS (SELECT FROM deals_in_follow_up AS d
                      WHERE d.tenant_id = t.id AND d.next_follow_up_at IS NOT NULL AND d.follow_up_hour <= v_hour OFFSET 0)
           OR EXISTS (SELECT FROM unnest(deal_stages_waiting(t.id)) AS s (stage)
                      CROSS JOIN LATERAL (
                          SELECT d.due_from FROM deals_in_follow_up AS d
                          WHERE d.tenant_id = t.id AND d.next_follow_up_at IS NULL AND d.stage = s.stage
                          ORDER BY d.active_from LIMIT 1
                      ) AS longest
                      WHERE longest.due_from <= v_now);
    END IF;
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
        LEFT JOIN deal_stage_limits AS c ON c.tenant_id = d.tenant_id AND c.stage = folded_word(d.stage)
        LEFT JOIN tenant_calendar AS k ON k.tenant_id = d.tenant_id
        WHERE d.due_from <= v_now AND (d.next_follow_up_at IS NULL OR d.next_follow_up_at <= v_now)
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

REVOKE ALL ON FUNCTION seed_default_deal_stages(uuid), seed_new_tenant(),
    plan_deal(deals), note_new_deal(), update_deal_last_activity(), log_deal_stage_change(), apply_stage_limits(), deal_stages_waiting(uuid),
    first_stalled_deals(uuid, integer), get_stalled_deals(uuid, integer),
    deals_due_tenants(), deals_due_count(), deals_next_due() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION first_stalled_deals(uuid, integer), get_stalled_deals(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION seed_default_deal_stages(uuid), deal_stages_waiting(uuid), deals_due_tenants(), deals_due_count(),
    deals_next_due() TO service_role;
