-- Who is at the console for a tenant, and which addresses are told of what happens there. As in console_pages.sql each function
-- asks console_tenant first.

-- The people of a tenant who may sign in, the latest at the console first; for the operator, who chose no tenant, operators.
-- sessions: those that are good.
CREATE OR REPLACE FUNCTION console_people_of(p_tenant_id uuid, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'manager');
BEGIN
    RETURN QUERY
    WITH good AS MATERIALIZED (
        SELECT s.* FROM console_sessions AS s
        WHERE s.revoked_at IS NULL AND s.ends_at > fleet_now() AND s.seen_at > fleet_now() - interval '2 hours'
    ), people AS (
        SELECT p.id AS profile_id, NULL AS operator, coalesce(p.full_name, p.email::text) AS name, p.email::text AS address,
               console_role(p.role::text) AS role
        FROM profiles AS p WHERE p.tenant_id = v_tenant AND NOT is_gone(to_jsonb(p))
        UNION ALL
        SELECT NULL, g.operator, g.operator, NULL, 'operator' FROM good AS g WHERE v_tenant IS NULL AND g.operator IS NOT NULL GROUP BY g.operator
    )
    SELECT jsonb_build_object(
        'name', p.name, 'address', p.address, 'role', p.role, 'seen_at', e.seen_at,
        'sessions', coalesce((
            SELECT jsonb_agg(jsonb_build_object('id', g.id, 'began_at', g.began_at, 'seen_at', g.seen_at, 'origin', g.origin) ORDER BY g.seen_at DESC)
            FROM good AS g WHERE g.profile_id = p.profile_id OR g.operator = p.operator), '[]'))
    FROM people AS p
    LEFT JOIN LATERAL (
        SELECT max(s.seen_at) AS seen_at FROM console_sessions AS s WHERE s.profile_id = p.profile_id OR s.operator = p.operator
    ) AS e ON true
    ORDER BY e.seen_at DESC NULLS LAST, p.name LIMIT p_limit;
END
$$;

-- Ends a session of the tenant's people; the operator's, where the operator chose no tenant. False: there is none of that id.
CREATE OR REPLACE FUNCTION console_revoke_session(p_tenant_id uuid, p_session bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'manager');
BEGIN
    PERFORM FROM console_sessions AS s
    LEFT JOIN profiles AS p ON p.id = s.profile_id
    WHERE s.id = p_session AND CASE WHEN v_tenant IS NULL THEN true ELSE p.tenant_id = v_tenant END;
    RETURN FOUND AND end_console_sessions(p_session) > 0;
END
$$;

-- The addresses that are told, each with its latest events.
CREATE OR REPLACE FUNCTION console_webhooks(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(w) || jsonb_build_object('latest', (
        SELECT coalesce(jsonb_agg(jsonb_build_object('event', d.event, 'status', d.status, 'occurred_at', d.occurred_at,
                                                     'attempts', d.attempts, 'error', d.last_error) ORDER BY d.id DESC), '[]')
        FROM (SELECT * FROM webhook_deliveries AS x WHERE x.endpoint_id = w.endpoint_id ORDER BY x.id DESC LIMIT 5) AS d))
    FROM list_webhooks(v_tenant) AS w;
END
$$;

-- Of what an address can be told.
CREATE OR REPLACE FUNCTION console_webhook_events(p_tenant_id uuid) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM console_tenant(p_tenant_id, 'reader');
    RETURN QUERY SELECT unnest(webhook_events());
END
$$;

CREATE OR REPLACE FUNCTION console_add_webhook(p_tenant_id uuid, p_url text, p_events text[], p_secret text, p_by text) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN add_webhook(console_tenant(p_tenant_id, 'manager'), p_url, p_events, p_secret, console_who(p_by));
END
$$;

-- Switches an address on or off, forgets it, lets its dead events be tried again, or tells it an event webhook.test with the
-- next pass. False: there is none of that id.
CREATE OR REPLACE FUNCTION console_set_webhook(p_tenant_id uuid, p_endpoint uuid, p_act text, p_by text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant uuid := console_tenant(p_tenant_id, 'manager');
BEGIN
    SELECT e.tenant_id INTO v_tenant FROM webhook_endpoints AS e WHERE e.id = p_endpoint AND (v_tenant IS NULL OR e.tenant_id = v_tenant);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    CASE p_act
        WHEN 'on' THEN PERFORM switch_webhook(p_endpoint, true, console_who(p_by));
        WHEN 'off' THEN PERFORM switch_webhook(p_endpoint, false, console_who(p_by));
        WHEN 'remove' THEN PERFORM remove_webhook(p_endpoint, console_who(p_by));
        WHEN 'retry' THEN PERFORM retry_webhook(p_endpoint);
        WHEN 'test' THEN
            INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event, dedupe_key, data, occurred_at, run_at, give_up_at)
            VALUES (v_tenant, p_endpoint, 'webhook.test', 'webhook.test:' || gen_random_uuid(), jsonb_build_object('tenant_id', v_tenant),
                    fleet_now(), fleet_now(), fleet_now() + interval '1 hour');
    END CASE;
    RETURN true;
END
$$;

REVOKE ALL ON FUNCTION console_people_of(uuid, integer), console_revoke_session(uuid, bigint), console_webhooks(uuid), console_webhook_events(uuid),
    console_add_webhook(uuid, text, text[], text, text), console_set_webhook(uuid, uuid, text, text) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_people_of(uuid, integer), console_revoke_session(uuid, bigint), console_webhooks(uuid), console_webhook_events(uuid),
    console_add_webhook(uuid, text, text[], text, text), console_set_webhook(uuid, uuid, text, text) TO authenticated, service_role;
