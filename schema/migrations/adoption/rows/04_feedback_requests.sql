-- Who was asked is not asked again, and has the thirty days to answer that everybody has.
INSERT INTO feedback_requests (id, tenant_id, order_id, client_id, contact_id, status, delivery_date, scheduled_for, sent_at,
                               responded_at, expires_at, has_open_case, skip_reason, response_email_id, sentiment,
                               sentiment_score, response_summary, case_created_id, service_recovery_triggered, created_at)
SELECT p.id, t.id, o.id, l.id, c.id, lower(p.status),
       coalesce(p.delivery_date, crm_instant(o.delivered_at), p.scheduled_for - interval '7 days'), p.scheduled_for, s.sent_at,
       p.responded_at, coalesce(p.expires_at, s.sent_at + interval '30 days'), coalesce(p.has_open_case, false), p.skip_reason,
       CASE WHEN m.id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN m.id::uuid END, lower(p.sentiment),
       p.sentiment_score, p.response_summary, k.id, coalesce(p.service_recovery_triggered, false), coalesce(p.created_at, p.scheduled_for)
FROM fleet_adopted.feedback_requests AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::feedback_requests, to_jsonb(a) - 'response_email_id') AS p
CROSS JOIN LATERAL (SELECT lower(to_jsonb(a) ->> 'response_email_id') AS id) AS m
CROSS JOIN LATERAL (SELECT coalesce(p.sent_at, CASE WHEN lower(p.status) IN ('sent', 'responded', 'expired') THEN p.scheduled_for END) AS sent_at) AS s
JOIN tenants AS t ON t.id = p.tenant_id
JOIN orders AS o ON o.id = p.order_id AND o.tenant_id = p.tenant_id
LEFT JOIN clients AS l ON l.id = p.client_id AND l.tenant_id = p.tenant_id
LEFT JOIN contacts AS c ON c.id = p.contact_id AND c.tenant_id = p.tenant_id
LEFT JOIN cases AS k ON k.id = p.case_created_id AND k.tenant_id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
