DROP INDEX IF EXISTS idx_runs_open_slots, idx_runs_missed;
