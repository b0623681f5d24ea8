-- A quote whose last follow-up was written is not followed up any more; any other goes on where it stood.
INSERT INTO quotes (id, tenant_id, client_id, contact_id, deal_id, quote_number, title, description, status, total_amount,
                    line_items, valid_until, sent_at, viewed_at, responded_at, view_count, outcome, outcome_reason,
                    outcome_competitor, outcome_notes, intel, last_follow_up_at, follow_up_count, next_follow_up_at,
                    max_follow_ups, follow_up_ended_at, created_at)
SELECT p.id, t.id, l.id, c.id, d.id, p.quote_number, p.title, p.description, lower(p.status), coalesce(p.total_amount, 0),
       coalesce(p.line_items, '[]'), p.valid_until, p.sent_at, p.viewed_at, p.responded_at, coalesce(p.view_count, 0),
       coalesce(lower(p.outcome), CASE lower(p.status) WHEN 'accepted' THEN 'won' WHEN 'rejected' THEN 'lost' END), p.outcome_reason,
       p.outcome_competitor, p.outcome_notes, coalesce(p.intel, '{}'), p.last_follow_up_at, coalesce(p.follow_up_count, 0), p.next_follow_up_at,
       coalesce(p.max_follow_ups, 5),
       CASE WHEN p.follow_up_count >= coalesce(p.max_follow_ups, 5) THEN coalesce(p.last_follow_up_at, now()) END,
       coalesce(p.created_at, p.sent_at, now())
FROM fleet_adopted.quotes AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::quotes, to_jsonb(a)) AS p
JOIN tenants AS t ON t.id = p.tenant_id
LEFT JOIN clients AS l ON l.id = p.client_id AND l.tenant_id = p.tenant_id
LEFT JOIN contacts AS c ON c.id = p.contact_id AND c.tenant_id = p.tenant_id
LEFT JOIN deals AS d ON d.id = p.deal_id AND d.tenant_id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
