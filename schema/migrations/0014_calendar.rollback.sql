ALTER TABLE compliance_schedule DROP COLUMN open_due_at, DROP COLUMN looked_run;
ALTER TABLE tenant_delivery ALTER COLUMN time_zone SET DEFAULT 'UTC';
DROP TABLE tenant_calendar;
