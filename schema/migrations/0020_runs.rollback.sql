DO $$
BEGIN
    IF to_regclass('engine_runs') IS NULL THEN
        RETURN;
    END IF;
    UPDATE engine_runs SET status = 'failed' WHERE status = 'partly';
    ALTER TABLE engine_runs
        DROP CONSTRAINT IF EXISTS engine_runs_status_check,
        ADD CONSTRAINT engine_runs_status_check CHECK (status IN ('running', 'succeeded', 'failed')),
        DROP COLUMN IF EXISTS attempts,
        DROP COLUMN IF EXISTS retry_at,
        DROP COLUMN IF EXISTS in_hand,
        DROP COLUMN IF EXISTS lost;
    DROP INDEX IF EXISTS idx_runs_by_hand;
END
$$;
