-- The indexes of open deals again, without those whose series waits for its message or for a person: they are not due
-- by themselves. Each statement runs on its own.

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_stall_detection;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_stall_detection ON deals
    (tenant_id, stage, (coalesce(last_activity_at, updated_at, created_at)))
    INCLUDE (id, last_activity_at, updated_at, created_at)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL
      AND next_follow_up_at IS NULL;

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_follow_up;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_follow_up ON deals
    (tenant_id, (date_trunc('hour', next_follow_up_at AT TIME ZONE 'UTC')),
     (coalesce(last_activity_at, updated_at, created_at)))
    INCLUDE (id, next_follow_up_at, stalls_at, last_activity_at, updated_at, created_at)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL
      AND next_follow_up_at IS NOT NULL;

DROP INDEX CONCURRENTLY IF EXISTS idx_deals_due;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deals_due ON deals
    ((coalesce(next_follow_up_at, stalls_at,
        ((coalesce(updated_at, created_at) AT TIME ZONE 'UTC') + interval '1 day') AT TIME ZONE 'UTC')), tenant_id)
    WHERE NOT is_closed_stage(stage) AND auto_follow_up_enabled AND follow_up_ended_at IS NULL AND follow_up_hold IS NULL;

-- An open case silences the mail to its client.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_cases_client ON cases (client_id) WHERE client_id IS NOT NULL;

-- Whether somebody of a client wrote since: by the client and the moment.
DROP INDEX CONCURRENTLY IF EXISTS idx_inbound_client;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_client ON inbound_messages (client_id, received_at) WHERE client_id IS NOT NULL;
