-- What would leave if each follow-up were written when it is due, whatever else its reader gets: per mailbox and day.
-- A series goes on at its interval to its limit; a request for feedback is one message.
WITH series AS (
    SELECT d.tenant_id, p.email, greatest(%(since)s, d.due_from) AS starts,
           coalesce(c.max_follow_ups, 5) - d.follow_up_count AS n,
           make_interval(days => coalesce(c.follow_up_interval_days, 3)) AS step, %(until)s AS ends, 'deals' AS engine
    FROM deals_in_follow_up AS d
    LEFT JOIN deal_stage_limits AS c ON c.tenant_id = d.tenant_id AND c.stage = folded_word(d.stage)
    CROSS JOIN LATERAL reachable_contact(d.tenant_id, d.contact_id, d.client_id) AS p
    UNION ALL
    SELECT q.tenant_id, p.email, greatest(%(since)s, q.next_follow_up_at), q.max_follow_ups - q.follow_up_count,
           interval '3 days', least(%(until)s, coalesce(q.valid_until + 1, 'infinity')), 'quotes'
    FROM quotes AS q
    CROSS JOIN LATERAL reachable_contact(q.tenant_id, q.contact_id, q.client_id) AS p
    WHERE q.status IN ('sent', 'viewed') AND q.outcome IS NULL AND q.next_follow_up_at IS NOT NULL
    UNION ALL
    SELECT r.tenant_id, p.email, greatest(%(since)s, r.scheduled_for), 1, interval '1 day', %(until)s, 'feedback'
    FROM feedback_requests AS r
    JOIN orders AS o ON o.id = r.order_id
    CROSS JOIN LATERAL reachable_contact(r.tenant_id, coalesce(r.contact_id, o.contact_id), coalesce(r.client_id, o.client_id)) AS p
    WHERE r.status = 'pending'
)
SELECT s.tenant_id, folded_mailbox(s.email) AS mailbox, (m.at AT TIME ZONE tenant_zone(s.tenant_id))::date AS day, count(*) AS n
FROM series AS s
CROSS JOIN LATERAL (SELECT s.starts + k * s.step AS at FROM generate_series(0, s.n - 1) AS k) AS m
WHERE m.at < s.ends AND NOT EXISTS (SELECT FROM suppression_of(s.tenant_id, s.email, s.engine))
GROUP BY 1, 2, 3
