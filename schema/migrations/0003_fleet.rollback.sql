ALTER TABLE deals DROP COLUMN stalls_at, DROP COLUMN follow_up_ended_at;
ALTER TABLE compliance_checks DROP COLUMN next_step_at;
ALTER TABLE compliance_schedule
    DROP COLUMN notify_at, DROP COLUMN last_error_at, DROP COLUMN last_error, DROP COLUMN anchor_day;
ALTER TABLE quotes DROP COLUMN due_at, DROP COLUMN follow_up_day, DROP COLUMN follow_up_ended_at;
ALTER TABLE feedback_requests DROP COLUMN due_at;
DROP TABLE quote_counters, scheduled_actions, suppressions, tenant_delivery, engine_settings, engine_runs;
