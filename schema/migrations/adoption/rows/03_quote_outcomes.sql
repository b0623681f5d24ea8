INSERT INTO quote_outcomes (id, tenant_id, quote_id, outcome, primary_reason, secondary_reasons, competitor, our_amount,
                            competitor_amount, learnings, recorded_at, recorded_by)
SELECT p.id, q.tenant_id, q.id, lower(p.outcome), p.primary_reason, coalesce(p.secondary_reasons, '{}'), p.competitor, p.our_amount,
       p.competitor_amount, coalesce(p.learnings, '{}'), coalesce(p.recorded_at, q.responded_at, q.created_at), p.recorded_by
FROM fleet_adopted.quote_outcomes AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::quote_outcomes, to_jsonb(a)) AS p
JOIN quotes AS q ON q.id = p.quote_id AND q.tenant_id = coalesce(p.tenant_id, q.tenant_id)
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
