-- Days in the previous stage may have been kept with their fraction.
INSERT INTO deal_stage_history (id, tenant_id, deal_id, from_stage, to_stage, changed_at, changed_by, reason, days_in_previous_stage)
SELECT p.id, d.tenant_id, d.id, p.from_stage, p.to_stage, p.changed_at, p.changed_by, p.reason,
       floor((to_jsonb(a) ->> 'days_in_previous_stage')::numeric)
FROM fleet_adopted.deal_stage_history AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::deal_stage_history, to_jsonb(a) - 'days_in_previous_stage') AS p
JOIN deals AS d ON d.id = p.deal_id AND d.tenant_id = coalesce(p.tenant_id, d.tenant_id)
JOIN tenants AS t ON t.id = d.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
