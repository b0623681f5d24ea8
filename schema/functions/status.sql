-- What `fleet status` shows.

-- Per engine: the last run, and how many items are due for a step at this moment where the engine is not off.
CREATE OR REPLACE FUNCTION fleet_engine_status() RETURNS TABLE (
    engine text, due bigint, last_run_id bigint, last_trigger text, last_status text, last_started_at timestamptz,
    last_finished_at timestamptz, last_due bigint, last_acted bigint, last_actions bigint, last_failures jsonb
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    FOR engine IN SELECT e.name FROM engines AS e ORDER BY e.name LOOP
        EXECUTE format(
            'SELECT coalesce(sum(c.n), 0) FROM %I() AS c'
            ' WHERE action_status(c.tenant_id, $1) IS NOT NULL',
            engine || '_due_count') INTO due USING engine;
        SELECT r.id, r.trigger, r.status, r.started_at, r.finished_at, r.due, r.acted, r.actions, r.failures
        INTO last_run_id, last_trigger, last_status, last_started_at, last_finished_at, last_due, last_acted, last_actions,
             last_failures
        FROM engine_runs AS r WHERE r.engine = fleet_engine_status.engine AND r.started_at IS NOT NULL ORDER BY r.id DESC LIMIT 1;
        RETURN NEXT;
    END LOOP;
END
$$;

-- The next instant at which anything of an engine falls due; NULL: never, as things are.
CREATE OR REPLACE FUNCTION engine_next_due(p_engine text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_next timestamptz;
BEGIN
    EXECUTE format('SELECT %I()', p_engine || '_next_due') INTO v_next;
    RETURN v_next;
END
$$;

-- Since when this database has the fleet: nobody missed what was before. SECURITY DEFINER, because the history of
-- migrations is the owner's.
CREATE OR REPLACE FUNCTION fleet_installed_at() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT min(h.applied_at) FROM fleet_migration_history AS h
$$;

-- What engines cannot do until a person mends it, of a tenant or (NULL) of all: whose it is, what it is, since when, if that
-- is known, and the reason.
CREATE OR REPLACE FUNCTION refused_work(p_tenant_id uuid)
RETURNS TABLE (engine text, tenant_id uuid, tenant_name text, what text, error text, since timestamptz)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    FOR engine IN
        SELECT e.name FROM engines AS e WHERE to_regprocedure(e.name || '_refused()') IS NOT NULL ORDER BY e.name
    LOOP
        RETURN QUERY EXECUTE format(
            'SELECT $1, t.id, t.name::text, r.what, r.error, NULL::timestamptz FROM %I() AS r JOIN tenants AS t ON t.id = r.tenant_id'
            ' WHERE $2 IS NULL OR t.id = $2', engine || '_refused') USING engine, p_tenant_id;
    END LOOP;
    RETURN QUERY
    SELECT x.engine, t.id, t.name::text, x.item_id::text, x.error, x.aside_at
    FROM items_aside AS x JOIN tenants AS t ON t.id = x.tenant_id
    WHERE p_tenant_id IS NULL OR x.tenant_id = p_tenant_id
    ORDER BY x.aside_at DESC LIMIT 100;
END
$$;

-- The same of all tenants, as `fleet status` shows it.
CREATE OR REPLACE FUNCTION fleet_refused() RETURNS TABLE (engine text, tenant_name text, what text, error text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.engine, r.tenant_name, r.what, r.error FROM refused_work(NULL) AS r
$$;

CREATE OR REPLACE FUNCTION fleet_action_counts() RETURNS TABLE (status text, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.status, count(*) FROM scheduled_actions AS a GROUP BY a.status ORDER BY a.status
$$;

-- The actions one run wrote, with the address each would go to and what the guards say: the dry run's view.
CREATE OR REPLACE FUNCTION actions_of_run(p_run bigint) RETURNS TABLE (
    action_id bigint, tenant_name text, kind text, template text, variables jsonb, address text, verdict text, reason text
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id, t.name, a.kind, a.template, a.variables, g.address, g.verdict, g.reason
    FROM action_guards(ARRAY(SELECT x.id FROM scheduled_actions AS x WHERE x.run_id = p_run)) AS g
    JOIN scheduled_actions AS a ON a.id = g.action_id
    JOIN tenants AS t ON t.id = a.tenant_id
    ORDER BY a.id
$$;

-- Every tenant, the modes of the engines that do not work automatically for it, and what the operator stopped.
CREATE OR REPLACE FUNCTION list_tenants() RETURNS TABLE (tenant_id uuid, name text, modes jsonb, stops jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT t.id, t.name,
           coalesce((SELECT jsonb_object_agg(e.name, m.mode) FROM engines AS e
                     CROSS JOIN LATERAL (SELECT engine_mode(t.id, e.name) AS mode) AS m
                     WHERE m.mode <> 'automatic'), '{}'),
           coalesce((SELECT jsonb_agg(jsonb_build_object('engine', o.engine, 'reason', o.reason, 'by', o.stopped_by,
                                                         'at', o.stopped_at) ORDER BY o.stopped_at)
                     FROM operator_stops AS o WHERE o.tenant_id = t.id), '[]')
    FROM tenants AS t
    ORDER BY t.name, t.id
$$;

REVOKE ALL ON FUNCTION fleet_engine_status(), fleet_action_counts(), fleet_installed_at(), engine_next_due(text), refused_work(uuid), fleet_refused(),
    actions_of_run(bigint), list_tenants() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION fleet_engine_status(), fleet_action_counts(), fleet_installed_at(), engine_next_due(text), refused_work(uuid), fleet_refused(),
    actions_of_run(bigint), list_tenants() TO service_role;
