-- The indexes of open deals again, cheap for the CRM's writes: no column that every edit changes (updated_at), so that an edit
-- of anything else is written to no index; and the stage's meaning is asked only of deals that no trigger has asked about.
-- By instants, whatever the CRM keeps its times in. Each statement runs on its own.

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_stall_detection;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_stall_detection ON deals
    (tenant_id, stage, (coalesce(crm_instant(last_activity_at), crm_instant(created_at), '-infinity')))
    WHERE crm_instant(next_follow_up_at) IS NULL AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL AND auto_follow_up_enabled
      AND (stalls_at IS NOT NULL OR NOT is_closed_stage(stage));

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_follow_up;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_follow_up ON deals
    (tenant_id, (date_trunc('hour', crm_instant(next_follow_up_at) AT TIME ZONE 'UTC')),
     (coalesce(crm_instant(last_activity_at), crm_instant(created_at), '-infinity')))
    INCLUDE (id, next_follow_up_at, stalls_at, last_activity_at, created_at)
    WHERE crm_instant(next_follow_up_at) IS NOT NULL AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL AND auto_follow_up_enabled
      AND (stalls_at IS NOT NULL OR NOT is_closed_stage(stage));

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_due;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_due ON deals
    ((coalesce(crm_instant(next_follow_up_at), stalls_at, crm_instant(created_at), '-infinity')), tenant_id)
    WHERE follow_up_ended_at IS NULL AND follow_up_hold IS NULL AND auto_follow_up_enabled
      AND (stalls_at IS NOT NULL OR NOT is_closed_stage(stage));

-- The limits of a stage, the newest first: asked for by every write to a deal.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_stage_config_word ON deal_stage_config
    (tenant_id, folded_word(stage), created_at DESC, id);
