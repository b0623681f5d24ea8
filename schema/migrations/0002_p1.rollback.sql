DROP TABLE compliance_checks, compliance_schedule, opportunity_signals, contact_enrichment_queue,
    quote_outcomes, quote_activities, quotes, deal_stage_config, deal_stage_history, feedback_requests;

ALTER TABLE deals
    DROP COLUMN last_activity_at,
    DROP COLUMN stalled_at,
    DROP COLUMN auto_follow_up_enabled,
    DROP COLUMN next_follow_up_at,
    DROP COLUMN follow_up_count;
