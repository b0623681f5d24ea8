DROP INDEX IF EXISTS idx_deals_stall_detection, idx_deals_follow_up, idx_deals_due, idx_stage_config_word;
