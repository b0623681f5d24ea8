-- The figures of Insight that take long to count: kept with when they were counted, and counted anew behind the pages, by one
-- process at a time.

-- What is kept of a view, and whether somebody counts it now; no row: it was never asked for.
CREATE OR REPLACE FUNCTION console_figures(p_tenant_id uuid, p_view text, p_span text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object('counted_at', f.counted_at, 'asked_at', f.asked_at, 'figures', f.figures::text)
    FROM insight_figures AS f
    WHERE f.tenant_id IS NOT DISTINCT FROM v_tenant AND f.view = p_view AND f.span = p_span;
END
$$;

-- Takes the counting of a view upon the caller; false: somebody began it within the last three minutes, and may be at it.
-- What nobody has looked at for a month goes.
CREATE OR REPLACE FUNCTION begin_figures(p_tenant_id uuid, p_view text, p_span text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    DELETE FROM insight_figures AS f WHERE f.asked_at < fleet_now() - interval '30 days';
    INSERT INTO insight_figures AS f (tenant_id, view, span, asked_at) VALUES (p_tenant_id, p_view, p_span, fleet_now())
    ON CONFLICT (tenant_id, view, span) DO UPDATE SET asked_at = fleet_now()
    WHERE f.asked_at < fleet_now() - interval '3 minutes' OR f.counted_at >= f.asked_at;
    RETURN FOUND;
END
$$;

CREATE OR REPLACE FUNCTION keep_figures(p_tenant_id uuid, p_view text, p_span text, p_figures json) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE insight_figures AS f SET figures = p_figures, counted_at = fleet_now()
    WHERE f.tenant_id IS NOT DISTINCT FROM p_tenant_id AND f.view = p_view AND f.span = p_span
$$;

REVOKE ALL ON FUNCTION console_figures(uuid, text, text), begin_figures(uuid, text, text),
    keep_figures(uuid, text, text, json) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION console_figures(uuid, text, text) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION begin_figures(uuid, text, text), keep_figures(uuid, text, text, json) TO service_role;
