ALTER TABLE compliance_schedule DROP CONSTRAINT compliance_schedule_next_due_at_check;
ALTER TABLE scheduled_actions DROP COLUMN new_recipient;
DROP TABLE tenant_quotas, operator_stops, items_aside;
