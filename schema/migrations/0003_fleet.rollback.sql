ALTER TABLE IF EXISTS deals DROP COLUMN IF EXISTS stalls_at, DROP COLUMN IF EXISTS follow_up_ended_at;
ALTER TABLE IF EXISTS compliance_checks DROP COLUMN IF EXISTS next_step_at;
ALTER TABLE IF EXISTS compliance_schedule
    DROP COLUMN IF EXISTS notify_at, DROP COLUMN IF EXISTS last_error_at, DROP COLUMN IF EXISTS last_error,
    DROP COLUMN IF EXISTS anchor_day;
ALTER TABLE IF EXISTS quotes
    DROP COLUMN IF EXISTS due_at, DROP COLUMN IF EXISTS follow_up_day, DROP COLUMN IF EXISTS follow_up_ended_at;
ALTER TABLE IF EXISTS feedback_requests DROP COLUMN IF EXISTS due_at;
DROP TABLE IF EXISTS quote_counters, scheduled_actions, suppressions, tenant_delivery, engine_settings, engine_runs;
