-- The occurrence ledger: one row per engine and slot, so that a slot is worked once however often it is
-- announced. Leases run on the real clock; everything else on the fleet's.

-- Claims a slot and returns the run's id, or NULL if the slot is taken. A run that failed, whose lease
-- ran out, or whose very message is being redelivered is taken over under its old id. Without a slot
-- (by hand, or as a helper) every call is a run of its own.
CREATE OR REPLACE FUNCTION open_run(
    p_engine text, p_slot timestamptz, p_trigger text, p_task_id text, p_lease interval
) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO engine_runs AS r (engine, slot, trigger, task_id, started_at, lease_until)
    VALUES (p_engine, p_slot, p_trigger, p_task_id, fleet_now(), clock_timestamp() + p_lease)
    ON CONFLICT (engine, slot) DO UPDATE
        SET task_id = excluded.task_id, trigger = excluded.trigger, status = 'running',
            lease_until = excluded.lease_until, finished_at = NULL
        WHERE r.status = 'failed'
           OR (r.status = 'running' AND (r.lease_until <= clock_timestamp() OR r.task_id = excluded.task_id))
    RETURNING r.id
$$;

-- Adds what one round did to its run, and renews the lease.
CREATE OR REPLACE FUNCTION record_progress(
    p_run bigint, p_lease interval, p_due bigint, p_acted bigint, p_actions bigint, p_skipped jsonb, p_failures jsonb
) RETURNS void
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
$$;

CREATE OR REPLACE FUNCTION close_run(p_run bigint, p_status text, p_tenants integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET status = p_status, finished_at = fleet_now(), tenants = greatest(tenants, p_tenants)
    WHERE id = p_run
$$;

-- Runs outside the timetable whose worker was lost: nobody takes them over, so they end as failed. Their due
-- items are still due; the next run finds them.
CREATE OR REPLACE FUNCTION close_lost_runs() RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET status = 'failed', finished_at = fleet_now()
    WHERE slot IS NULL AND status = 'running' AND lease_until <= clock_timestamp()
$$;

-- Whether a slot needs nobody any more: worked, or being worked under a live lease.
CREATE OR REPLACE FUNCTION slot_is_taken(p_engine text, p_slot timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM engine_runs
        WHERE engine = p_engine AND slot = p_slot
          AND (status = 'succeeded' OR (status = 'running' AND lease_until > clock_timestamp())))
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
        ' WHERE engine_mode(t.id, $1) <> ''off'' AND NOT is_stopped(t.id, $1) ORDER BY t.id', p_engine || '_due_tenants') USING p_engine;
END
$$;

REVOKE ALL ON FUNCTION
    open_run(text, timestamptz, text, text, interval),
    record_progress(bigint, interval, bigint, bigint, bigint, jsonb, jsonb),
    close_run(bigint, text, integer), close_lost_runs(), slot_is_taken(text, timestamptz), due_tenants(text)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION
    open_run(text, timestamptz, text, text, interval),
    record_progress(bigint, interval, bigint, bigint, bigint, jsonb, jsonb),
    close_run(bigint, text, integer), close_lost_runs(), slot_is_taken(text, timestamptz), due_tenants(text)
    TO service_role;
