-- What must be true of rows that were there before the fleet came; runs after every migration, changes
-- nothing the second time, and never touches a CRM row. Orders are adopt_orders.sql's: there may be many.

SELECT seed_default_deal_stages(t.id) FROM tenants AS t
WHERE NOT EXISTS (SELECT FROM deal_stage_config AS c WHERE c.tenant_id = t.id);

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
