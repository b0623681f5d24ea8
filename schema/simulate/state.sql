-- How things stand, in words, per tenant: what each engine's rows wait for, what waits in the outbox, and whom nobody
-- writes to.
SELECT s.tenant_id, s.about, s.state, sum(s.n)::bigint AS n
FROM (
    SELECT d.tenant_id, 'deals' AS about,
           CASE WHEN d.over IS NOT NULL THEN 'follow-ups over: ' || d.over
                WHEN d.hold IS NOT NULL THEN 'follow-ups wait for ' || d.hold
                WHEN d.stalled THEN 'in follow-up'
                ELSE 'active' END AS state, d.n
    FROM (SELECT x.tenant_id, x.stage::text AS stage, x.follow_up_hold AS hold, x.stalled_at IS NOT NULL AS stalled,
                 CASE WHEN x.follow_up_ended_at IS NOT NULL THEN coalesce(x.follow_up_ended_for, 'ended') END AS over, count(*) AS n
          FROM deals AS x WHERE x.tenant_id = ANY (%(tenants)s)
          GROUP BY 1, 2, 3, 4, 5) AS d
    WHERE word_meaning(d.tenant_id, 'deal_stage', d.stage) = 'open'
    UNION ALL
    SELECT q.tenant_id, 'quotes',
           CASE WHEN q.status NOT IN ('sent', 'viewed') THEN q.status
                WHEN q.follow_up_ended_at IS NOT NULL THEN 'follow-ups over: ' || coalesce(q.follow_up_ended_for, 'ended')
                WHEN q.follow_up_hold IS NOT NULL THEN 'follow-ups wait for ' || q.follow_up_hold
                ELSE 'in follow-up' END, count(*)
    FROM quotes AS q WHERE q.tenant_id = ANY (%(tenants)s) GROUP BY 1, 2, 3
    UNION ALL
    SELECT r.tenant_id, 'feedback', r.status, count(*) FROM feedback_requests AS r
    WHERE r.tenant_id = ANY (%(tenants)s) GROUP BY 1, 2, 3
    UNION ALL
    SELECT e.tenant_id, 'enrichment', e.status, count(*) FROM contact_enrichment_queue AS e
    WHERE e.tenant_id = ANY (%(tenants)s) GROUP BY 1, 2, 3
    UNION ALL
    SELECT c.tenant_id, 'compliance', replace(c.status, '_', ' '), count(*) FROM compliance_checks AS c
    WHERE c.tenant_id = ANY (%(tenants)s) GROUP BY 1, 2, 3
    UNION ALL
    SELECT a.tenant_id, 'outbox', a.status, count(*) FROM scheduled_actions AS a
    WHERE a.tenant_id = ANY (%(tenants)s) AND a.status IN ('suggested', 'scheduled', 'sending', 'failed', 'dead') GROUP BY 1, 2, 3
    UNION ALL
    SELECT u.tenant_id, 'addresses', 'suppressed', count(*) FROM suppressions AS u
    WHERE u.tenant_id = ANY (%(tenants)s) GROUP BY 1, 2, 3
) AS s
GROUP BY s.tenant_id, s.about, s.state
ORDER BY s.tenant_id, s.about, s.state
