ALTER TABLE compliance_schedule DROP CONSTRAINT compliance_schedule_next_due_at_check;
DROP TABLE tenant_quotas, operator_stops, items_aside;
