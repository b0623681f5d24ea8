INSERT INTO compliance_schedule (id, tenant_id, compliance_type, description, frequency, next_due_at, last_completed_at,
                                 target_entity_type, target_filter, required_fields, notification_days_before,
                                 escalation_days_after, is_active, created_at)
SELECT p.id, t.id, p.compliance_type, p.description, lower(p.frequency), p.next_due_at, p.last_completed_at,
       lower(p.target_entity_type), coalesce(p.target_filter, '{}'), coalesce(p.required_fields, '{}'), coalesce(p.notification_days_before, 14),
       coalesce(p.escalation_days_after, 7), coalesce(p.is_active, true), coalesce(p.created_at, now())
FROM fleet_adopted.compliance_schedule AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::compliance_schedule, to_jsonb(a)) AS p
JOIN tenants AS t ON t.id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
