-- The fleet's own tables: the occurrence ledger, the outbox, and how each tenant wants to be served;
-- and the columns by which each engine finds its due work with one index probe.

CREATE TABLE engine_runs (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    engine        text NOT NULL CHECK (engine IN ('feedback', 'deals', 'quotes', 'enrichment', 'compliance')),
    slot          timestamptz,              -- NULL: started by hand or as a helper, outside the timetable
    trigger       text NOT NULL CHECK (trigger IN ('beat', 'catch_up', 'manual', 'share')),
    task_id       text,
    status        text NOT NULL DEFAULT 'running' CHECK (status IN ('running', 'succeeded', 'failed')),
    started_at    timestamptz NOT NULL,
    lease_until   timestamptz NOT NULL,
    finished_at   timestamptz,
    tenants       integer NOT NULL DEFAULT 0,
    due           bigint NOT NULL DEFAULT 0,
    acted         bigint NOT NULL DEFAULT 0,
    skipped       jsonb NOT NULL DEFAULT '{}',
    actions       bigint NOT NULL DEFAULT 0,
    failures      jsonb NOT NULL DEFAULT '[]',   -- [{"tenant_id", "error"}]: one bad tenant never stops the others
    UNIQUE (engine, slot)
);

CREATE TABLE engine_settings (
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine    text NOT NULL CHECK (engine IN ('feedback', 'deals', 'quotes', 'enrichment', 'compliance')),
    mode      text NOT NULL DEFAULT 'automatic' CHECK (mode IN ('automatic', 'review', 'off')),
    PRIMARY KEY (tenant_id, engine)
);

-- How a tenant's mail leaves: nothing while paused, and only inside the sending window of its time zone.
CREATE TABLE tenant_delivery (
    tenant_id    uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    paused       boolean NOT NULL DEFAULT false,
    time_zone    text NOT NULL DEFAULT 'UTC',
    window_start time NOT NULL DEFAULT '00:00',
    window_end   time,                     -- NULL: until midnight
    from_name    text,
    from_address text,
    CHECK (window_start < window_end),
    CHECK (timestamptz '2000-01-01 00:00:00+00' AT TIME ZONE time_zone IS NOT NULL)  -- one bad zone would stop every tenant's mail
);

CREATE TABLE suppressions (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    address    text NOT NULL CHECK (address = lower(btrim(address))),
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, address)
);

CREATE TABLE scheduled_actions (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine       text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('email', 'task', 'case')),
    template     text NOT NULL,
    variables    jsonb NOT NULL DEFAULT '{}',
    subject_type text NOT NULL,
    subject_id   uuid NOT NULL,
    client_id    uuid,
    contact_id   uuid,
    recipient    text,                     -- for who is no contact (a vendor); a contact's address is read when sending
    assigned_to  uuid,
    run_at       timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'scheduled' CHECK (status IN
        ('suggested', 'scheduled', 'sending', 'sent', 'failed', 'dead', 'cancelled', 'skipped')),
    reason       text,
    attempts     integer NOT NULL DEFAULT 0,
    last_error   text,
    lease_until  timestamptz,
    lease_owner  text,
    sent_at      timestamptz,
    sent_to      text,
    message_id   text,
    dedupe_key   text NOT NULL,
    run_id       bigint,
    created_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, dedupe_key)
);

-- Message-IDs are made of these numbers. Starting with the time they were never given before, not even by an
-- installation that was rolled back: receivers would take the new message for the old one.
SELECT setval(pg_get_serial_sequence('scheduled_actions', 'id'),
              (extract(epoch FROM now() - timestamptz '2025-01-01 00:00:00+00') * 10)::bigint);

CREATE TABLE quote_counters (
    tenant_id   uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    year        integer NOT NULL,
    last_number integer NOT NULL,
    PRIMARY KEY (tenant_id, year)
);

-- What each row waits for next, as one instant: the engines ask "due_at <= now" and nothing else.
-- NULL: nothing more to do. UTC arithmetic keeps the expressions immutable.
ALTER TABLE feedback_requests ADD COLUMN due_at timestamptz GENERATED ALWAYS AS (
    CASE status WHEN 'pending' THEN scheduled_for WHEN 'sent' THEN expires_at END
) STORED;

ALTER TABLE quotes ADD COLUMN follow_up_ended_at timestamptz;
ALTER TABLE quotes ADD COLUMN due_at timestamptz GENERATED ALWAYS AS (
    CASE WHEN status IN ('sent', 'viewed') AND outcome IS NULL THEN least(
        CASE WHEN follow_up_ended_at IS NULL THEN coalesce(next_follow_up_at, '1970-01-01 00:00:00+00') END,
        ((valid_until + 1)::timestamp AT TIME ZONE 'UTC')
    ) END
) STORED;
-- The day (UTC) on which the next follow-up is due: one bucket of the queue, ordered by amount inside.
ALTER TABLE quotes ADD COLUMN follow_up_day date GENERATED ALWAYS AS (
    CASE WHEN status IN ('sent', 'viewed') AND outcome IS NULL AND follow_up_ended_at IS NULL
         THEN (coalesce(next_follow_up_at, '1970-01-01 00:00:00+00') AT TIME ZONE 'UTC')::date END
) STORED;

ALTER TABLE compliance_schedule
    ADD COLUMN anchor_day smallint CHECK (anchor_day BETWEEN 1 AND 31),
    ADD COLUMN last_error text,
    ADD COLUMN last_error_at timestamptz,
    ADD COLUMN notify_at timestamptz GENERATED ALWAYS AS (
        ((next_due_at AT TIME ZONE 'UTC') - make_interval(days => notification_days_before)) AT TIME ZONE 'UTC'
    ) STORED;

ALTER TABLE compliance_checks ADD COLUMN next_step_at timestamptz GENERATED ALWAYS AS (
    CASE
        WHEN status IN ('pending', 'awaiting_response') THEN least(due_at, coalesce(
            -- From the full hour: next week's run may start seconds earlier than this week's did.
            (date_trunc('hour', reminder_sent_at AT TIME ZONE 'UTC') + interval '7 days') AT TIME ZONE 'UTC',
            ((due_at AT TIME ZONE 'UTC') - make_interval(days => notification_days_before)) AT TIME ZONE 'UTC'))
        WHEN status = 'in_progress' THEN due_at
        WHEN status = 'overdue' THEN
            ((due_at AT TIME ZONE 'UTC') + make_interval(days => escalation_days_after)) AT TIME ZONE 'UTC'
    END
) STORED;

-- stalls_at: when the deal will count as stalled if nothing happens, kept by trigger from the stage's
-- days; it lets one index find every tenant with newly stalled deals. follow_up_ended_at: the series
-- is over and its owner knows.
ALTER TABLE deals
    ADD COLUMN stalls_at timestamptz,
    ADD COLUMN follow_up_ended_at timestamptz;
