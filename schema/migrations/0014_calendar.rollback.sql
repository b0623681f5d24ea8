ALTER TABLE IF EXISTS compliance_schedule DROP COLUMN IF EXISTS open_due_at, DROP COLUMN IF EXISTS looked_run;
ALTER TABLE IF EXISTS tenant_delivery ALTER COLUMN time_zone SET DEFAULT 'UTC';
DROP TABLE IF EXISTS tenant_calendar;
