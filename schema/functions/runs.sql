-- What the occurrence ledger shows of the engines' runs.

-- The newest runs of an id, engine, status or time or (NULL) of any; total counts all of them. A run outside the timetable
-- has no slot and is never late.
CREATE OR REPLACE FUNCTION list_runs(
    p_run bigint, p_engine text, p_status text, p_since timestamptz, p_until timestamptz, p_limit integer
) RETURNS TABLE (
    run_id bigint, engine text, slot timestamptz, trigger text, status text, started_at timestamptz, finished_at timestamptz,
    late_seconds integer, tenants integer, due bigint, acted bigint, actions bigint, skipped jsonb, failures jsonb, total bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.id, r.engine, r.slot, r.trigger, r.status, r.started_at, r.finished_at,
           extract(epoch FROM r.started_at - r.slot)::integer, r.tenants, r.due, r.acted, r.actions, r.skipped,
           (SELECT coalesce(jsonb_agg(f.failure || jsonb_build_object('tenant_name', t.name) ORDER BY f.n), '[]')
            FROM jsonb_array_elements(r.failures) WITH ORDINALITY AS f (failure, n)
            LEFT JOIN tenants AS t ON t.id = (f.failure ->> 'tenant_id')::uuid),
           count(*) OVER ()
    FROM engine_runs AS r
    WHERE (p_run IS NULL OR r.id = p_run) AND (p_engine IS NULL OR r.engine = p_engine)
      AND (p_status IS NULL OR r.status = p_status)
      AND (p_since IS NULL OR r.started_at >= p_since) AND (p_until IS NULL OR r.started_at < p_until)
    ORDER BY r.id DESC LIMIT p_limit
$$;

REVOKE ALL ON FUNCTION list_runs(bigint, text, text, timestamptz, timestamptz, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION list_runs(bigint, text, text, timestamptz, timestamptz, integer) TO service_role;
