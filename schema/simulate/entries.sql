-- What became of the outbox since the simulation began, and which answers came, by the tenants' own days. What was refused
-- is of the day on which it was to leave.
-- last, waiting: the highest number of an action, and the open ones, when it began; answers: messages taken in since.
WITH ours AS (
    SELECT a.*, tenant_zone(a.tenant_id) AS zone FROM scheduled_actions AS a
    WHERE a.tenant_id = ANY (%(tenants)s) AND (a.id > %(last)s OR a.id = ANY (%(waiting)s))
)
SELECT e.day, e.tenant_id AS tenant, coalesce(e.engine, '') AS engine, coalesce(e.person, '') AS person, e.what, e.detail, count(*) AS n
FROM (
    SELECT (o.sent_at AT TIME ZONE o.zone)::date AS day, o.tenant_id, o.engine,
           CASE WHEN o.kind IN ('email', 'forward') THEN folded_mailbox(o.sent_to)
                ELSE coalesce(p.full_name, 'nobody') END AS person,
           CASE o.kind WHEN 'email' THEN 'message' ELSE o.kind END AS what,
           replace(o.template, '_', ' ')
               || CASE WHEN o.kind = 'email' THEN coalesce(', step ' || (o.variables ->> 'step'), '') ELSE '' END AS detail
    FROM ours AS o LEFT JOIN profiles AS p ON p.id = o.assigned_to AND p.tenant_id = o.tenant_id
    WHERE o.status = 'sent'
    UNION ALL
    SELECT (least(greatest(o.run_at, %(since)s), %(until)s - interval '1 microsecond') AT TIME ZONE o.zone)::date, o.tenant_id,
           o.engine, o.mailbox, 'refused', coalesce(o.reason, o.last_error, o.status)
    FROM ours AS o WHERE o.status IN ('cancelled', 'skipped', 'failed', 'dead')
    UNION ALL
    SELECT (m.received_at AT TIME ZONE tenant_zone(m.tenant_id))::date, m.tenant_id, a.engine,
           folded_mailbox(m.from_address), 'answer', replace(CASE m.kind WHEN 'reply' THEN m.answer ELSE m.kind END, '_', ' ')
    FROM inbound_messages AS m LEFT JOIN scheduled_actions AS a ON a.id = m.action_id
    WHERE m.id = ANY (%(answers)s)
) AS e
GROUP BY e.day, e.tenant_id, e.engine, e.person, e.what, e.detail
