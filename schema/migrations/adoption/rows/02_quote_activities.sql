INSERT INTO quote_activities (id, tenant_id, quote_id, activity_type, notes, metadata, created_at)
SELECT p.id, q.tenant_id, q.id, p.activity_type, p.notes, coalesce(p.metadata, '{}'), coalesce(p.created_at, q.created_at)
FROM fleet_adopted.quote_activities AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::quote_activities, to_jsonb(a)) AS p
JOIN quotes AS q ON q.id = p.quote_id AND q.tenant_id = coalesce(p.tenant_id, q.tenant_id)
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
