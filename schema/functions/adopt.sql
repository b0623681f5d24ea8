-- What must be true of rows that were there before the fleet came; runs after every migration, changes
-- nothing the second time, and never touches a CRM row.

SELECT seed_default_deal_stages(t.id) FROM tenants AS t
WHERE NOT EXISTS (SELECT FROM deal_stage_config AS c WHERE c.tenant_id = t.id);

INSERT INTO feedback_requests (tenant_id, order_id, client_id, contact_id, delivery_date, scheduled_for)
SELECT o.tenant_id, o.id, l.id, c.id, d.delivered_at, d.delivered_at + interval '7 days'
FROM orders AS o
CROSS JOIN LATERAL (SELECT crm_instant(o.delivered_at) AS delivered_at) AS d
JOIN tenants AS t ON t.id = o.tenant_id
LEFT JOIN clients AS l ON l.id = o.client_id AND l.tenant_id = o.tenant_id
LEFT JOIN contacts AS c ON c.id = o.contact_id AND c.tenant_id = o.tenant_id
WHERE d.delivered_at > fleet_now() - interval '60 days'
ON CONFLICT (tenant_id, order_id) DO NOTHING;

-- The zone that was written for the delivery is the tenant's; quotes and compliance move to it by their triggers.
INSERT INTO tenant_calendar (tenant_id, time_zone)
SELECT d.tenant_id, d.time_zone FROM tenant_delivery AS d
ON CONFLICT (tenant_id) DO NOTHING;

-- Tenants' words as words are folded now.
UPDATE crm_words AS w SET word = folded_word(w.word)
WHERE w.word <> folded_word(w.word)
  AND NOT EXISTS (SELECT FROM crm_words AS x
                  WHERE x.tenant_id = w.tenant_id AND x.kind = w.kind AND x.word = folded_word(w.word));

-- What rows wait for, where it was written before the triggers kept it.
UPDATE quotes AS q SET due_at = NULL
WHERE q.status IN ('sent', 'viewed') AND q.outcome IS NULL
  AND q.due_at IS DISTINCT FROM quote_due_at(q, tenant_zone(q.tenant_id));
UPDATE compliance_schedule AS s SET notify_at = NULL
WHERE s.notify_at IS DISTINCT FROM compliance_notice_at(s.next_due_at, s.notification_days_before, tenant_zone(s.tenant_id));
UPDATE compliance_checks AS c SET next_step_at = NULL
FROM compliance_checks AS k
LEFT JOIN compliance_schedule AS s ON s.id = k.schedule_id AND s.tenant_id = k.tenant_id
WHERE c.id = k.id AND k.status IN ('pending', 'in_progress', 'awaiting_response', 'overdue')
  AND k.next_step_at IS DISTINCT FROM
      CASE WHEN coalesce(s.is_active, true) THEN compliance_next_step_at(k, tenant_zone(k.tenant_id)) END;
