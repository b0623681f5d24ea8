ALTER TABLE IF EXISTS compliance_schedule DROP CONSTRAINT IF EXISTS compliance_schedule_next_due_at_check;
ALTER TABLE IF EXISTS scheduled_actions DROP COLUMN IF EXISTS new_recipient;
DROP TABLE IF EXISTS tenant_quotas, operator_stops, items_aside;
