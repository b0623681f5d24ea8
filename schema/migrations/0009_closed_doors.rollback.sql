ALTER TABLE IF EXISTS compliance_schedule DROP CONSTRAINT IF EXISTS compliance_schedule_next_due_at_check;
DROP TABLE IF EXISTS tenant_quotas, operator_stops, items_aside;
