-- What other limits of a stage would mean. As in console_pages.sql the function asks console_tenant first.

-- How many follow-ups fall due within so many days, with a tenant's limits as they are and with others, stage by stage.
-- Reckoned from how long each deal is silent and how often it was written to, as the engine does; what nobody can know is left
-- out: answers, caps, days off, quotes and cases that come first. Nothing is changed and nothing is locked.
-- p_limits: {STAGE: {"max_days_before_stale", "follow_up_interval_days", "max_follow_ups"}}, any of them
CREATE OR REPLACE FUNCTION console_what_if(p_tenant_id uuid, p_limits jsonb, p_days integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
    v_now constant timestamptz := fleet_now();
    v_longest constant interval := make_interval(days => coalesce(
        (SELECT y.deal_max_silence_days FROM tenant_delivery AS y WHERE y.tenant_id = v_tenant),
        (SELECT f.deal_max_silence_days FROM fleet_defaults AS f)));
BEGIN
    RETURN QUERY
    WITH limits AS MATERIALIZED (
        SELECT l.stage, x.* FROM deal_stage_limits AS l
        CROSS JOIN LATERAL (
            SELECT w.value FROM jsonb_each(p_limits) AS w WHERE folded_word(w.key) = l.stage
            UNION ALL SELECT '{}' LIMIT 1) AS wished
        CROSS JOIN LATERAL (VALUES
            ('today', l.max_days_before_stale, l.follow_up_interval_days, l.max_follow_ups),
            ('changed', coalesce((wished.value ->> 'max_days_before_stale')::integer, l.max_days_before_stale),
                        coalesce((wished.value ->> 'follow_up_interval_days')::integer, l.follow_up_interval_days),
                        coalesce((wished.value ->> 'max_follow_ups')::integer, l.max_follow_ups))
        ) AS x (which, days, pause, most)
        WHERE l.tenant_id = v_tenant
    ), silent AS MATERIALIZED (
        -- Many deals are alike: they are put together before anything is reckoned.
        SELECT d.stage AS word, date_trunc('hour', d.active_at) AS since, date_trunc('hour', d.next_follow_up_at) AS next_at,
               d.follow_up_count AS sent, count(*) AS n
        FROM deals_in_follow_up AS d
        WHERE d.tenant_id = v_tenant AND (d.contact_id IS NOT NULL OR d.client_id IS NOT NULL)
          AND (d.follow_up_count > 0 OR d.active_at >= v_now - v_longest)
        GROUP BY 1, 2, 3, 4
    ), words AS MATERIALIZED (
        SELECT w.word, folded_word(w.word) AS stage FROM (SELECT DISTINCT s.word FROM silent AS s) AS w
    )
    SELECT jsonb_build_object(
        'stage', l.stage,
        'today', coalesce(sum(s.n * r.steps) FILTER (WHERE l.which = 'today'), 0),
        'changed', coalesce(sum(s.n * r.steps) FILTER (WHERE l.which = 'changed'), 0))
    FROM limits AS l
    LEFT JOIN words AS w ON w.stage = l.stage
    LEFT JOIN silent AS s ON s.word = w.word
    LEFT JOIN LATERAL (
        SELECT CASE WHEN x.first_at < v_now + make_interval(days => p_days)
                    THEN greatest(least(l.most - s.sent, 1 + floor(
                        extract(epoch FROM v_now + make_interval(days => p_days) - x.first_at) / 86400 / greatest(l.pause, 1))), 0)
                    ELSE 0 END::bigint AS steps
        FROM (SELECT greatest(v_now, s.next_at, s.since + make_interval(days => l.days)) AS first_at) AS x
    ) AS r ON true
    GROUP BY l.stage ORDER BY l.stage;
END
$$;

REVOKE ALL ON FUNCTION console_what_if(uuid, jsonb, integer) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_what_if(uuid, jsonb, integer) TO authenticated, service_role;
