-- The indexes of open deals, without those whose series waits for its message or for a person: they are not due by
-- themselves. By what a stage means, however it is spelled, and by instants, whatever the CRM keeps them in. A deal that
-- somebody touched is due by its follow-up or its stall; one that nobody touched since the fleet came, a day after its
-- last change. Each statement runs on its own.

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_stall_detection;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_stall_detection ON deals
    (tenant_id, stage, (coalesce(crm_instant(last_activity_at), crm_instant(updated_at), crm_instant(created_at))))
    INCLUDE (id, last_activity_at, updated_at, created_at)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL
      AND crm_instant(next_follow_up_at) IS NULL;

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_follow_up;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_follow_up ON deals
    (tenant_id, (date_trunc('hour', crm_instant(next_follow_up_at) AT TIME ZONE 'UTC')),
     (coalesce(crm_instant(last_activity_at), crm_instant(updated_at), crm_instant(created_at))))
    INCLUDE (id, next_follow_up_at, stalls_at, last_activity_at, updated_at, created_at)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL
      AND crm_instant(next_follow_up_at) IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_due;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_due ON deals
    ((coalesce(crm_instant(next_follow_up_at), stalls_at,
        ((coalesce(crm_instant(updated_at), crm_instant(created_at)) AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC')),
     tenant_id)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL;
