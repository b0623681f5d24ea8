-- A slot may be worked in part: what is left is tried again, ever less often. A tenant over whom workers are lost comes
-- last, and is left out of a run after three.

ALTER TABLE engine_runs
    DROP CONSTRAINT IF EXISTS engine_runs_status_check,
    ADD CONSTRAINT engine_runs_status_check CHECK (status IN ('running', 'succeeded', 'partly', 'failed')),
    ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS retry_at timestamptz,  -- of a slot that was not worked whole
    ADD COLUMN IF NOT EXISTS in_hand uuid,  -- the tenant being worked: if the worker is lost, it may be why
    ADD COLUMN IF NOT EXISTS lost jsonb NOT NULL DEFAULT '{}';  -- {tenant: how many workers were lost over it}

CREATE INDEX IF NOT EXISTS idx_runs_by_hand ON engine_runs (task_id) WHERE slot IS NULL AND status = 'running';
