-- Each tenant has a timetable of its own: the fleet's, read by its own clocks, unless it has set another one. The ledger
-- has a row for every slot that is expected, so that what nobody worked is known as well.

CREATE TABLE tenant_timetable (
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine    text NOT NULL REFERENCES engines (name),
    cron      text,                              -- minute hour day month weekday; NULL: the fleet's
    paused    boolean NOT NULL DEFAULT false,    -- its slots do not come
    PRIMARY KEY (tenant_id, engine)
);

CREATE TABLE fleet_timetable (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    noted_until timestamptz NOT NULL             -- up to then every slot is in the ledger: an installation begins with now
);
INSERT INTO fleet_timetable (noted_until) VALUES (now());

-- What all workers together send is limited where FLEET_SMTP_PER_MINUTE says so.
CREATE TABLE channel_rate (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    spent_until timestamptz NOT NULL DEFAULT '-infinity',    -- as if each message took its share of a minute
    last_tenant uuid                                         -- whose messages were taken last
);
INSERT INTO channel_rate DEFAULT VALUES;

-- expected: not begun yet; missed: nobody began it while it was worth it; cancelled: a person ended it.
ALTER TABLE engine_runs
    ALTER COLUMN trigger DROP NOT NULL,
    ALTER COLUMN started_at DROP NOT NULL,
    ALTER COLUMN lease_until DROP NOT NULL,
    DROP CONSTRAINT IF EXISTS engine_runs_status_check,
    ADD CONSTRAINT engine_runs_status_check CHECK (status IN
        ('expected', 'running', 'succeeded', 'partly', 'failed', 'missed', 'cancelled')),
    DROP CONSTRAINT IF EXISTS engine_runs_trigger_check,
    ADD CONSTRAINT engine_runs_trigger_check CHECK (trigger IN ('beat', 'catch_up', 'manual', 'share', 'backfill')),
    ADD CONSTRAINT engine_runs_begun CHECK (
        status IN ('expected', 'missed', 'cancelled')
        OR (trigger IS NOT NULL AND started_at IS NOT NULL AND lease_until IS NOT NULL)),
    ADD COLUMN IF NOT EXISTS worker text,        -- host and process
    ADD COLUMN IF NOT EXISTS cancelled_by text,
    ADD COLUMN IF NOT EXISTS cancelled_why text;

-- What the ledger's functions become takes or returns something else: the workers of the last release stop (supported_from).
DROP FUNCTION IF EXISTS open_run(text, timestamptz, text, text, interval);
DROP FUNCTION IF EXISTS record_progress(bigint, interval, bigint, bigint, bigint, jsonb, jsonb);
DROP FUNCTION IF EXISTS items_left(text);
DROP FUNCTION IF EXISTS slot_is_taken(text, timestamptz);
DROP FUNCTION IF EXISTS list_runs(bigint, text, text, timestamptz, timestamptz, integer);
