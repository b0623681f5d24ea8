-- Slots of which something is still to be done.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_runs_open_slots ON engine_runs (slot)
    WHERE slot IS NOT NULL AND status IN ('expected', 'running', 'partly', 'failed');
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_runs_missed ON engine_runs (finished_at) WHERE status = 'missed';
