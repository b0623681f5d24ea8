-- A check that was escalated is not escalated again, whatever its status says.
INSERT INTO compliance_checks (id, tenant_id, schedule_id, compliance_type, entity_type, entity_id, entity_name, period_start,
                               period_end, due_at, status, required_fields, missing_fields, validation_errors,
                               notification_days_before, escalation_days_after, reminder_sent_at, reminder_count,
                               escalation_sent_at, escalated_to, completed_at, completed_by, waived_reason, notes, created_at)
SELECT p.id, t.id, s.id, coalesce(p.compliance_type, s.compliance_type), lower(p.entity_type), p.entity_id, p.entity_name,
       coalesce(p.period_start, p.period_end, p.due_at::date), coalesce(p.period_end, p.due_at::date), p.due_at,
       CASE WHEN lower(p.status) = 'overdue' AND p.escalation_sent_at IS NOT NULL THEN 'escalated' ELSE lower(p.status) END,
       coalesce(p.required_fields, s.required_fields, '{}'), coalesce(p.missing_fields, '{}'), coalesce(p.validation_errors, '[]'),
       coalesce(p.notification_days_before, s.notification_days_before, 14), coalesce(p.escalation_days_after, s.escalation_days_after, 7),
       p.reminder_sent_at, coalesce(p.reminder_count, 0), p.escalation_sent_at, e.id, p.completed_at, p.completed_by,
       coalesce(nullif(btrim(p.waived_reason), ''), CASE lower(p.status) WHEN 'waived' THEN 'waived before the fleet' END),
       p.notes, coalesce(p.created_at, now())
FROM fleet_adopted.compliance_checks AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::compliance_checks, to_jsonb(a)) AS p
JOIN tenants AS t ON t.id = p.tenant_id
LEFT JOIN compliance_schedule AS s ON s.id = p.schedule_id AND s.tenant_id = p.tenant_id
LEFT JOIN profiles AS e ON e.id = p.escalated_to AND e.tenant_id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
