-- The occurrence ledger: one row per engine and slot, so that a slot is worked once however often it is
-- announced. Leases and the times of another try run on the real clock; everything else on the fleet's.

-- Enters slots that are expected, and notes that all are in the ledger up to an instant.
CREATE OR REPLACE FUNCTION note_slots(p_engines text[], p_slots timestamptz[], p_until timestamptz) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO engine_runs (engine, slot, status, attempts)
    SELECT s.engine, s.slot, 'expected', 0 FROM unnest(p_engines, p_slots) AS s (engine, slot)
    ON CONFLICT (engine, slot) DO NOTHING;
    UPDATE fleet_timetable SET noted_until = p_until WHERE noted_until < p_until;
$$;

-- Up to when all slots are in the ledger.
CREATE OR REPLACE FUNCTION slots_noted_until() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT f.noted_until FROM fleet_timetable AS f
$$;

-- The slots that somebody should work now, the oldest first, each named once in five minutes: whoever asks sends for a
-- worker. Those that nobody began, that were not worked whole and may be tried again, and those whose worker was lost, as
-- long as they are worth it. p_windows: {engine: for how many seconds a slot is}.
CREATE OR REPLACE FUNCTION slots_to_start(p_windows jsonb) RETURNS TABLE (engine text, slot timestamptz)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH wanted AS (
        UPDATE engine_runs AS r SET retry_at = clock_timestamp() + interval '5 minutes'
        FROM jsonb_each_text(p_windows) AS w (engine, seconds)
        WHERE r.engine = w.engine AND r.slot > fleet_now() - make_interval(secs => w.seconds::double precision)
          AND r.status IN ('expected', 'running', 'partly', 'failed')
          AND (r.status <> 'running' OR r.lease_until <= clock_timestamp())
          AND (r.retry_at IS NULL OR r.retry_at <= clock_timestamp())
        RETURNING r.engine, r.slot
    )
    SELECT w.engine, w.slot FROM wanted AS w ORDER BY w.slot, w.engine
$$;

-- Gives up the slots that are not worth it any more: what nobody began was missed, and what a lost worker left has failed.
-- Returns those that were missed. p_windows as above.
CREATE OR REPLACE FUNCTION give_up_slots(p_windows jsonb) RETURNS TABLE (engine text, slot timestamptz)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH given_up AS (
        UPDATE engine_runs AS r SET
            status = CASE r.status WHEN 'expected' THEN 'missed' ELSE 'failed' END, finished_at = fleet_now(), retry_at = NULL
        FROM jsonb_each_text(p_windows) AS w (engine, seconds)
        WHERE r.engine = w.engine AND r.slot <= fleet_now() - make_interval(secs => w.seconds::double precision)
          AND (r.status = 'expected' OR (r.status = 'running' AND r.lease_until <= clock_timestamp()))
        RETURNING r.engine, r.slot, r.status
    )
    SELECT g.engine, g.slot FROM given_up AS g WHERE g.status = 'missed' ORDER BY g.slot, g.engine
$$;

-- How many workers were lost over each tenant of a run: one more for whom the run has in hand if it is being taken over.
CREATE OR REPLACE FUNCTION losses_of(p_run engine_runs) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN p_run.status = 'running' AND p_run.in_hand IS NOT NULL
        THEN p_run.lost || jsonb_build_object(p_run.in_hand, coalesce((p_run.lost ->> p_run.in_hand::text)::integer, 0) + 1)
        ELSE p_run.lost END
$$;

-- Claims a slot and returns the run's id, or NULL if the slot is taken. One that nobody worked, that failed or was worked
-- in part, whose lease ran out, or whose very message is being redelivered is taken over under its old id; it then fails for
-- nobody until somebody fails again. What a person cancelled only a backfill works. Without a slot (by hand, or as a helper)
-- every message is a run of its own.
CREATE OR REPLACE FUNCTION open_run(
    p_engine text, p_slot timestamptz, p_trigger text, p_task_id text, p_worker text, p_lease interval
) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH redelivered AS (
        UPDATE engine_runs AS r
        SET lease_until = clock_timestamp() + p_lease, attempts = r.attempts + 1, worker = p_worker,
            lost = losses_of(r), in_hand = NULL
        WHERE p_slot IS NULL AND r.slot IS NULL AND r.status = 'running' AND r.task_id = p_task_id AND r.engine = p_engine
        RETURNING r.id
    ), claimed AS (
        INSERT INTO engine_runs AS r (engine, slot, trigger, task_id, worker, started_at, lease_until)
        SELECT p_engine, p_slot, p_trigger, p_task_id, p_worker, fleet_now(), clock_timestamp() + p_lease
        WHERE NOT EXISTS (SELECT FROM redelivered)
        ON CONFLICT (engine, slot) DO UPDATE
            SET task_id = excluded.task_id, trigger = excluded.trigger, worker = excluded.worker, status = 'running',
                started_at = coalesce(r.started_at, excluded.started_at), lease_until = excluded.lease_until,
                finished_at = NULL, attempts = r.attempts + 1, retry_at = NULL, failures = '[]', lost = losses_of(r),
                in_hand = NULL, cancelled_by = NULL, cancelled_why = NULL
            WHERE r.status IN ('expected', 'missed', 'failed', 'partly')
               OR (r.status = 'cancelled' AND excluded.trigger = 'backfill')
               OR (r.status = 'running' AND (r.lease_until <= clock_timestamp() OR r.task_id = excluded.task_id))
        RETURNING r.id
    )
    SELECT id FROM redelivered UNION ALL SELECT id FROM claimed
$$;

-- Notes for whom a run works next, before it does.
CREATE OR REPLACE FUNCTION take_in_hand(p_run bigint, p_tenant_id uuid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET in_hand = p_tenant_id WHERE id = p_run
$$;

-- The tenants of a run over whom workers were lost, and how many.
CREATE OR REPLACE FUNCTION run_losses(p_run bigint) RETURNS TABLE (tenant_id uuid, n integer)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT l.key::uuid, l.value::integer FROM engine_runs AS r, jsonb_each_text(r.lost) AS l WHERE r.id = p_run
$$;

-- Adds what one round did to its run, and renews the lease; false if the run was cancelled meanwhile.
CREATE OR REPLACE FUNCTION record_progress(
    p_run bigint, p_lease interval, p_due bigint, p_acted bigint, p_actions bigint, p_skipped jsonb, p_failures jsonb
) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs AS r SET
        lease_until = clock_timestamp() + p_lease,
        due = r.due + p_due,
        acted = r.acted + p_acted,
        actions = r.actions + p_actions,
        failures = r.failures || p_failures,
        skipped = (
            SELECT coalesce(jsonb_object_agg(s.reason, s.n), '{}')
            FROM (SELECT e.key AS reason, sum(e.value::bigint) AS n
                  FROM (SELECT * FROM jsonb_each_text(r.skipped) UNION ALL SELECT * FROM jsonb_each_text(p_skipped)) AS e
                  GROUP BY e.key) AS s)
    WHERE r.id = p_run
    RETURNING r.status <> 'cancelled'
$$;

-- Ends a run. What is not worked whole is tried again by the catch-up: after a minute, after two, four … an hour. What
-- has ended stays so, whatever a worker says that wakes up when another has taken over and ended its run.
CREATE OR REPLACE FUNCTION close_run(p_run bigint, p_status text, p_tenants integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET
        status = p_status, finished_at = fleet_now(), in_hand = NULL, tenants = greatest(tenants, p_tenants),
        retry_at = CASE WHEN p_status <> 'succeeded'
            THEN clock_timestamp() + least(interval '1 minute' * 2 ^ least(attempts - 1, 10), interval '1 hour') END
    WHERE id = p_run AND status = 'running'
$$;

-- Lets a run that has ended be taken up after a minute: nothing was wrong, its minute was over (see limits.sql).
CREATE OR REPLACE FUNCTION go_on_soon(p_run bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET retry_at = clock_timestamp() + interval '1 minute' WHERE id = p_run AND status = 'partly'
$$;

-- Ends a run, or a slot, for a person: a worker that is at it leaves off after the batch in hand, and nobody takes it up
-- again. Returns how it stood before; NULL: there is none, or nothing is left of it to be done.
CREATE OR REPLACE FUNCTION cancel_run(p_run bigint, p_by text, p_why text) RETURNS text
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH found AS (
        SELECT r.id, r.status FROM engine_runs AS r
        WHERE r.id = p_run AND (r.status IN ('expected', 'running') OR (r.status IN ('partly', 'failed') AND r.slot IS NOT NULL))
        FOR UPDATE
    )
    UPDATE engine_runs AS r SET
        status = 'cancelled', finished_at = fleet_now(), retry_at = NULL, in_hand = NULL, cancelled_by = p_by, cancelled_why = p_why
    FROM found AS f WHERE r.id = f.id
    RETURNING f.status
$$;

-- How many items are due for an engine now, of each of the tenants that it works for: what a run that is through has left.
-- Not counted is what is listed elsewhere and tried again the next day: items set aside, and what the engine itself refuses.
CREATE OR REPLACE FUNCTION tenants_left(p_engine text) RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_refused text := '';
BEGIN
    IF to_regprocedure(p_engine || '_refused()') IS NOT NULL THEN
        v_refused := format('UNION ALL SELECT r.tenant_id FROM %I() AS r', p_engine || '_refused');
    END IF;
    RETURN QUERY EXECUTE format(
        'WITH listed AS ('
        '    SELECT l.tenant_id, count(*) AS n FROM ('
        '        SELECT x.tenant_id FROM items_resting AS x WHERE x.engine = $1 %s) AS l'
        '    GROUP BY l.tenant_id)'
        ' SELECT c.tenant_id, c.n - coalesce(l.n, 0) FROM %I() AS c'
        ' LEFT JOIN listed AS l ON l.tenant_id = c.tenant_id'
        ' WHERE c.n > coalesce(l.n, 0) AND action_status(c.tenant_id, $1) IS NOT NULL',
        v_refused, p_engine || '_due_count') USING p_engine;
END
$$;

-- Runs outside the timetable whose worker was lost: nobody takes them over, so they end as failed. Their due
-- items are still due; the next run finds them.
CREATE OR REPLACE FUNCTION close_lost_runs() RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET status = 'failed', finished_at = fleet_now()
    WHERE slot IS NULL AND status = 'running' AND lease_until <= clock_timestamp()
$$;

-- What is known of a slot: 'worked' whole, 'partly' (some of it is left, or some tenants failed), 'failed', 'running'
-- under a live lease, 'missed', 'cancelled'; NULL if nobody began it, or whoever did was lost.
CREATE OR REPLACE FUNCTION slot_state(p_engine text, p_slot timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN r.status = 'succeeded' THEN 'worked'
                WHEN r.status = 'expected' OR (r.status = 'running' AND r.lease_until <= clock_timestamp()) THEN NULL
                ELSE r.status END
    FROM engine_runs AS r WHERE r.engine = p_engine AND r.slot = p_slot
$$;

-- The tenants for whom an engine, that is not off for them nor stopped by the operator, has due work now. Only the engine's own tables are read:
-- a lock on another engine's stops nobody here. A tenant may be named in vain; its batch is then empty.
CREATE OR REPLACE FUNCTION due_tenants(p_engine text) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM engines AS e WHERE e.name = p_engine) THEN
        RAISE EXCEPTION 'engine % is not in the database: run `fleet db migrate`', p_engine
            USING ERRCODE = 'undefined_object';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT t.id FROM %I() AS t (id)'
        ' WHERE action_status(t.id, $1) IS NOT NULL ORDER BY t.id', p_engine || '_due_tenants') USING p_engine;
END
$$;

REVOKE ALL ON FUNCTION
    losses_of(engine_runs), note_slots(text[], timestamptz[], timestamptz), slots_noted_until(), slots_to_start(jsonb),
    give_up_slots(jsonb), open_run(text, timestamptz, text, text, text, interval),
    take_in_hand(bigint, uuid), run_losses(bigint),
    record_progress(bigint, interval, bigint, bigint, bigint, jsonb, jsonb),
    close_run(bigint, text, integer), go_on_soon(bigint), cancel_run(bigint, text, text), close_lost_runs(), tenants_left(text),
    slot_state(text, timestamptz), due_tenants(text)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    losses_of(engine_runs), note_slots(text[], timestamptz[], timestamptz), slots_noted_until(), slots_to_start(jsonb),
    give_up_slots(jsonb), open_run(text, timestamptz, text, text, text, interval),
    take_in_hand(bigint, uuid), run_losses(bigint),
    record_progress(bigint, interval, bigint, bigint, bigint, jsonb, jsonb),
    close_run(bigint, text, integer), go_on_soon(bigint), cancel_run(bigint, text, text), close_lost_runs(), tenants_left(text),
    slot_state(text, timestamptz), due_tenants(text)
    TO service_role;
