-- What waits in the outbox though its first moment has come: for whom, why, and until when.
SELECT a.id, a.run_at, tenant_today(a.tenant_id) AS day, a.tenant_id AS tenant, a.engine, a.mailbox AS person,
       CASE a.code WHEN 'away' THEN 'the contact is away' ELSE a.reason END AS detail
FROM scheduled_actions AS a
WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.code IS NOT NULL AND a.tenant_id = ANY (%(tenants)s)
ORDER BY a.id
