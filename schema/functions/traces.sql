-- The traces of OpenTelemetry, from a run to what becomes of what it wrote.

-- Notes where a run stands in its trace.
CREATE OR REPLACE FUNCTION keep_trace(p_run bigint, p_traceparent text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE engine_runs SET traceparent = p_traceparent WHERE id = p_run
$$;

-- Where the runs stood that wrote these actions; those that were not traced are left out.
CREATE OR REPLACE FUNCTION traces_of(p_actions bigint[]) RETURNS TABLE (action_id bigint, traceparent text)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 50
AS $$
    SELECT a.id, r.traceparent FROM scheduled_actions AS a JOIN engine_runs AS r ON r.id = a.run_id
    WHERE a.id = ANY (p_actions) AND r.traceparent IS NOT NULL
$$;

REVOKE ALL ON FUNCTION keep_trace(bigint, text), traces_of(bigint[]) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION keep_trace(bigint, text), traces_of(bigint[]) TO service_role;
