-- What nobody acted on for a week stays for people to look through: a task for each would be a burst. A source may be named
-- by something else than a uuid: the same name stays one source.
INSERT INTO opportunity_signals (id, tenant_id, source_type, source_id, client_id, contact_id, signal_type, signal_strength,
                                 extracted_text, context, actioned, actioned_at, action_taken, action_result, created_at)
SELECT p.id, t.id, lower(p.source_type),
       CASE WHEN m.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN m.id ELSE md5(m.id) END::uuid, l.id, c.id, p.signal_type, p.signal_strength,
       p.extracted_text, coalesce(p.context, '{}'), coalesce(p.actioned, false), p.actioned_at,
       coalesce(p.action_taken, CASE WHEN p.actioned IS NOT TRUE AND coalesce(p.created_at, '-infinity') < now() - interval '7 days'
                                     THEN 'none: it was there before the fleet' END),
       p.action_result, coalesce(p.created_at, now())
FROM fleet_adopted.opportunity_signals AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::opportunity_signals, to_jsonb(a) - 'source_id') AS p
CROSS JOIN LATERAL (SELECT lower(to_jsonb(a) ->> 'source_id') AS id) AS m
JOIN tenants AS t ON t.id = p.tenant_id
LEFT JOIN clients AS l ON l.id = p.client_id AND l.tenant_id = p.tenant_id
LEFT JOIN contacts AS c ON c.id = p.contact_id AND c.tenant_id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
