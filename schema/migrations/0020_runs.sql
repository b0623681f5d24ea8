-- A slot may be worked in part: what is left is tried again, ever less often.

ALTER TABLE engine_runs
    DROP CONSTRAINT IF EXISTS engine_runs_status_check,
    ADD CONSTRAINT engine_runs_status_check CHECK (status IN ('running', 'succeeded', 'partly', 'failed')),
    ADD COLUMN IF NOT EXISTS attempts integer NOT NULL DEFAULT 1,
    ADD COLUMN IF NOT EXISTS retry_at timestamptz;  -- of a slot that was not worked whole
