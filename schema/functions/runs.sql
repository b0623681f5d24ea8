-- What the occurrence ledger shows of the engines' runs.

-- The newest runs, and slots that nobody began, of an id, engine, status or time or (NULL) of any; total counts all of them.
-- A run outside the timetable has no slot and is never late; one that was not begun is as late as it is now.
CREATE OR REPLACE FUNCTION list_runs(
    p_run bigint, p_engine text, p_status text, p_since timestamptz, p_until timestamptz, p_limit integer
) RETURNS TABLE (
    run_id bigint, engine text, slot timestamptz, trigger text, status text, started_at timestamptz, finished_at timestamptz,
    late_seconds integer, worker text, attempts integer, tenants integer, due bigint, acted bigint, actions bigint, skipped jsonb,
    failures jsonb, cancelled_by text, cancelled_why text, total bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.id, r.engine, r.slot, r.trigger, r.status, r.started_at, r.finished_at,
           extract(epoch FROM coalesce(r.started_at, r.finished_at, fleet_now()) - r.slot)::integer, r.worker, r.attempts, r.tenants,
           r.due, r.acted, r.actions, r.skipped,
           (SELECT coalesce(jsonb_agg(f.failure || jsonb_build_object('tenant_name', t.name) ORDER BY f.n), '[]')
            FROM jsonb_array_elements(r.failures) WITH ORDINALITY AS f (failure, n)
            LEFT JOIN tenants AS t ON t.id = (f.failure ->> 'tenant_id')::uuid),
           r.cancelled_by, r.cancelled_why, count(*) OVER ()
    FROM engine_runs AS r
    WHERE (p_run IS NULL OR r.id = p_run) AND (p_engine IS NULL OR r.engine = p_engine)
      AND (p_status IS NULL OR r.status = p_status)
      AND (p_since IS NULL OR coalesce(r.started_at, r.slot) >= p_since)
      AND (p_until IS NULL OR coalesce(r.started_at, r.slot) < p_until)
    ORDER BY r.id DESC LIMIT p_limit
$$;

-- The slots of a span that were not worked whole and that nobody works, the oldest first, with their states; p_engine NULL: of
-- all engines.
CREATE OR REPLACE FUNCTION slots_not_worked(p_engine text, p_since timestamptz, p_until timestamptz)
RETURNS TABLE (engine text, slot timestamptz, status text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.engine, r.slot, r.status FROM engine_runs AS r
    WHERE r.slot >= p_since AND r.slot < p_until AND (p_engine IS NULL OR r.engine = p_engine)
      AND (r.status IN ('expected', 'missed', 'partly', 'failed', 'cancelled')
           OR (r.status = 'running' AND r.lease_until <= clock_timestamp()))
    ORDER BY r.slot, r.engine
$$;

REVOKE ALL ON FUNCTION list_runs(bigint, text, text, timestamptz, timestamptz, integer),
    slots_not_worked(text, timestamptz, timestamptz) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION list_runs(bigint, text, text, timestamptz, timestamptz, integer),
    slots_not_worked(text, timestamptz, timestamptz) TO service_role;
