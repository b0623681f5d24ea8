DO $$
BEGIN
    IF to_regclass('engine_runs') IS NULL THEN
        RETURN;
    END IF;
    DELETE FROM engine_runs WHERE started_at IS NULL;
    UPDATE engine_runs SET status = 'failed' WHERE status IN ('missed', 'cancelled');
    UPDATE engine_runs SET trigger = 'manual' WHERE trigger = 'backfill';
    ALTER TABLE engine_runs
        DROP CONSTRAINT IF EXISTS engine_runs_begun,
        DROP CONSTRAINT IF EXISTS engine_runs_status_check,
        ADD CONSTRAINT engine_runs_status_check CHECK (status IN ('running', 'succeeded', 'partly', 'failed')),
        DROP CONSTRAINT IF EXISTS engine_runs_trigger_check,
        ADD CONSTRAINT engine_runs_trigger_check CHECK (trigger IN ('beat', 'catch_up', 'manual', 'share')),
        ALTER COLUMN trigger SET NOT NULL,
        ALTER COLUMN started_at SET NOT NULL,
        ALTER COLUMN lease_until SET NOT NULL,
        DROP COLUMN IF EXISTS worker,
        DROP COLUMN IF EXISTS cancelled_by,
        DROP COLUMN IF EXISTS cancelled_why;
END
$$;
DROP TABLE IF EXISTS channel_rate, fleet_timetable, tenant_timetable;
