-- What of deals `fleet explain` finds and says; see schema/functions/engines.sql.

CREATE OR REPLACE FUNCTION deals_found(p_tenant_id uuid, p_text text, p_id uuid)
RETURNS TABLE (kind text, tenant_id uuid, item uuid, subject uuid, name text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    RETURN QUERY
    SELECT 'deal', d.tenant_id, d.id, d.id, concat_ws(', ', d.title, l.company_name, d.stage) FROM deals AS d
    LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = d.tenant_id
    WHERE d.id = p_id AND (p_tenant_id IS NULL OR d.tenant_id = p_tenant_id);
    RETURN QUERY
    SELECT 'deal', d.tenant_id, d.id, d.id, concat_ws(', ', d.title, l.company_name, d.stage) FROM tenants AS t
    JOIN deals AS d ON d.tenant_id = t.id AND lower(left(d.title::text, 200)) = lower(left(p_text, 200))
    LEFT JOIN clients AS l ON l.id = d.client_id AND l.tenant_id = d.tenant_id
    WHERE p_id IS NULL AND (p_tenant_id IS NULL OR t.id = p_tenant_id) LIMIT 100;
END
$$;

CREATE OR REPLACE FUNCTION deals_explained(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH deal AS MATERIALIZED (
        -- Each column by its name: a CRM may have one that is called as ours are.
        SELECT d.stage, d.contact_id, d.client_id, d.auto_follow_up_enabled, d.last_activity_at, d.stalls_at, d.stalled_at,
               d.next_follow_up_at, coalesce(d.follow_up_count, 0) AS follow_up_count, d.follow_up_ended_at, d.follow_up_hold,
               d.follow_up_ended_for, is_gone(to_jsonb(d)) AS gone, is_over('deal', to_jsonb(d)) AS over,
               word_meaning(p_tenant_id, 'deal_stage', d.stage::text) AS meaning, coalesce(c.max_follow_ups, 5) AS most
        FROM deals AS d
        LEFT JOIN deal_stage_config AS c ON c.tenant_id = p_tenant_id AND folded_word(c.stage) = folded_word(d.stage::text)
        WHERE d.id = p_id AND d.tenant_id = p_tenant_id
    ), live AS (
        SELECT d.* FROM deal AS d
        WHERE d.meaning = 'open' AND NOT d.gone AND NOT d.over AND d.auto_follow_up_enabled AND NOT has_decided_quote(p_tenant_id, p_id)
    )
    SELECT NULL::timestamptz, 'now', CASE
        WHEN d.gone THEN 'the deal is deleted or archived: nothing is written about it'
        WHEN d.meaning IS NULL THEN format('nobody has said what the stage "%s" means, so nothing is written (fleet words set)', d.stage)
        WHEN d.over THEN 'the CRM says beside the stage that the deal is closed: nothing is written about it'
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
    SELECT d.stalled_at, 'now', format('the deal is stalled; %s of %s follow-ups were sent', d.follow_up_count, d.most)
    FROM live AS d WHERE d.stalled_at IS NOT NULL
    UNION ALL
    SELECT NULL, 'now', 'its follow-ups wait for ' || d.follow_up_hold FROM live AS d
    WHERE d.follow_up_hold IS NOT NULL AND d.follow_up_ended_at IS NULL
    UNION ALL
    SELECT d.follow_up_ended_at, 'now', concat_ws(': ', 'its follow-ups are over, until something happens on the deal', d.follow_up_ended_for)
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
    SELECT r.* FROM live AS d CROSS JOIN LATERAL explain_reach(p_tenant_id, 'deals', p_id, d.contact_id, d.client_id) AS r;
END
$$;

REVOKE ALL ON FUNCTION deals_found(uuid, text, uuid), deals_explained(uuid, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION deals_found(uuid, text, uuid), deals_explained(uuid, uuid) TO service_role;
