-- Who is at the console: links that sign in, sessions, roles, and the trail of what was done. The pages' reads and
-- decisions are in console_pages.sql.

-- What a profile's role in the CRM lets it do here: read; decide actions (agent); set what holds for the tenant (manager).
-- A word that nobody knows reads only. The operator's role is given by `fleet console` alone, never by the CRM.
CREATE OR REPLACE FUNCTION console_role(p_role text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN lower(btrim(p_role)) IN ('owner', 'admin', 'administrator', 'manager') THEN 'manager'
        WHEN lower(btrim(p_role)) IN ('agent', 'sales', 'support', 'service', 'compliance', 'member') THEN 'agent'
        ELSE 'reader' END
$$;

-- Who asks, by the claims of the request: a person, or a program with a token. No row: the workers, or nobody.
CREATE OR REPLACE FUNCTION calling_user() RETURNS TABLE (tenant_id uuid, role text, who text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp ROWS 1
AS $$
    WITH caller AS MATERIALIZED (SELECT claimed_user() AS id)
    SELECT p.tenant_id, console_role(p.role::text), coalesce(p.email::text, p.id::text)
    FROM caller AS c JOIN profiles AS p ON p.id = c.id
    UNION ALL
    SELECT t.tenant_id, t.role, 'token ' || t.name FROM caller AS c JOIN api_tokens AS t ON t.id = c.id
    LIMIT 1
$$;

-- Whether a manager asks, for policies.
CREATE OR REPLACE FUNCTION caller_is_manager() RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM calling_user() AS c WHERE c.role = 'manager')
$$;

-- Whose rows somebody gets who asks for a tenant's (NULL: the own, or for the workers every tenant's), if the role allows.
-- Every function of console_pages.sql asks here first: they read with their owner's rights, as a user cannot read the
-- ledger, the guards and what they rest on.
CREATE OR REPLACE FUNCTION console_tenant(p_tenant_id uuid, p_least_role text) RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_caller record;
    v_ranks constant text[] := '{reader, agent, manager}';
BEGIN
    IF may_act_for(NULL) THEN    -- the workers
        RETURN p_tenant_id;
    END IF;
    SELECT * INTO v_caller FROM calling_user();
    IF v_caller.tenant_id IS NULL OR v_caller.tenant_id IS DISTINCT FROM coalesce(p_tenant_id, v_caller.tenant_id)
       OR coalesce(array_position(v_ranks, v_caller.role) < array_position(v_ranks, p_least_role), true) THEN
        RAISE EXCEPTION 'this is not for you' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN v_caller.tenant_id;
END
$$;

-- Who decides: a signed-in person by his own address, a program by its token, whatever they say; for the workers whom they
-- name.
CREATE OR REPLACE FUNCTION console_who(p_by text) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN may_act_for(NULL) THEN p_by
                ELSE (SELECT c.who FROM calling_user() AS c) END
$$;

CREATE OR REPLACE FUNCTION note_console(
    p_tenant_id uuid, p_session bigint, p_who text, p_what text, p_item text, p_origin text
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO console_audit (at, tenant_id, session_id, who, what, item, origin)
    VALUES (fleet_now(), p_tenant_id, p_session, p_who, p_what, left(p_item, 500), p_origin)
$$;

-- Makes a link that signs in once, within fifteen minutes: a profile, or (p_profile_id NULL) the operator called so.
CREATE OR REPLACE FUNCTION make_console_link(p_token_hash bytea, p_profile_id uuid, p_operator text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO console_links (token_hash, profile_id, operator, made_at, ends_at)
    VALUES (p_token_hash, p_profile_id, p_operator, fleet_now(), fleet_now() + interval '15 minutes')
$$;

-- Notes that somebody asks for a link, and says whether he may: three times in fifteen minutes for an address, twenty from
-- one place, two hundred in all. Who asks more often is not even noted.
CREATE OR REPLACE FUNCTION may_ask_for_link(p_address text, p_origin text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_address constant text := left(lower(btrim(p_address)), 320);
    v_asked record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('console sign-in'));    -- counted one after the other
    SELECT count(*) AS in_all, count(*) FILTER (WHERE a.who = v_address) AS here, count(*) FILTER (WHERE a.origin = p_origin) AS from_there
    INTO v_asked FROM console_audit AS a WHERE a.what = 'asks for a link' AND a.at > fleet_now() - interval '15 minutes';
    IF v_asked.here >= 3 OR v_asked.from_there >= 20 OR v_asked.in_all >= 200 THEN
        RETURN false;
    END IF;
    PERFORM note_console(NULL, NULL, v_address, 'asks for a link', NULL, p_origin);
    RETURN true;
END
$$;

-- The people who have an address; one may work for several tenants.
CREATE OR REPLACE FUNCTION console_people(p_address text) RETURNS TABLE (profile_id uuid, address text, tenant_id uuid, tenant_name text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT p.id, p.email::text, t.id, t.name::text FROM profiles AS p
    JOIN tenants AS t ON t.id = p.tenant_id
    WHERE lower(p.email) = lower(btrim(p_address)) AND NOT is_gone(to_jsonb(p))
    ORDER BY t.name LIMIT 10
$$;

-- Whom a link would sign in; no row: it is used, too old, or none.
CREATE OR REPLACE FUNCTION console_link_holder(p_token_hash bytea) RETURNS TABLE (who text, tenant_name text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce(l.operator, p.email::text, p.id::text), t.name::text FROM console_links AS l
    LEFT JOIN profiles AS p ON p.id = l.profile_id AND NOT is_gone(to_jsonb(p))
    LEFT JOIN tenants AS t ON t.id = p.tenant_id
    WHERE l.token_hash = p_token_hash AND l.used_at IS NULL AND l.ends_at > fleet_now()
      AND (l.operator IS NOT NULL OR t.id IS NOT NULL)
$$;

-- Uses a link up and begins a session: for twelve hours, and no longer than two without a request. False: no such link.
CREATE OR REPLACE FUNCTION enter_console(p_link_hash bytea, p_session_hash bytea, p_origin text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_holder record;
    v_link console_links;
    v_session bigint;
BEGIN
    SELECT * INTO v_holder FROM console_link_holder(p_link_hash);
    UPDATE console_links AS l SET used_at = fleet_now()
    WHERE l.token_hash = p_link_hash AND l.used_at IS NULL AND l.ends_at > fleet_now() RETURNING * INTO v_link;
    IF v_link.token_hash IS NULL OR v_holder.who IS NULL THEN
        RETURN false;
    END IF;
    DELETE FROM console_links AS l WHERE l.ends_at < fleet_now() - interval '1 day';
    DELETE FROM console_sessions AS s WHERE s.ends_at < fleet_now() - interval '30 days';
    INSERT INTO console_sessions (token_hash, profile_id, operator, origin, began_at, seen_at, ends_at)
    VALUES (p_session_hash, v_link.profile_id, v_link.operator, p_origin, fleet_now(), fleet_now(), fleet_now() + interval '12 hours')
    RETURNING id INTO v_session;
    PERFORM note_console((SELECT p.tenant_id FROM profiles AS p WHERE p.id = v_link.profile_id), v_session, v_holder.who,
                         'signs in', NULL, p_origin);
    RETURN true;
END
$$;

-- Who holds a session, and for which tenant; no row: it has ended, or its person is gone. Volatile: it notes the request.
CREATE OR REPLACE FUNCTION console_session(p_token_hash bytea) RETURNS TABLE (
    session_id bigint, profile_id uuid, who text, role text, tenant_id uuid, tenant_name text, time_zone text
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    UPDATE console_sessions AS s SET seen_at = fleet_now()
    WHERE s.token_hash = p_token_hash AND s.revoked_at IS NULL AND s.ends_at > fleet_now()
      AND s.seen_at BETWEEN fleet_now() - interval '2 hours' AND fleet_now() - interval '1 minute';
    RETURN QUERY
    SELECT s.id, s.profile_id, coalesce(s.operator, p.email::text, p.id::text),
           CASE WHEN s.operator IS NULL THEN console_role(p.role::text) ELSE 'operator' END,
           t.id, t.name::text, tenant_zone(t.id)
    FROM console_sessions AS s
    LEFT JOIN profiles AS p ON p.id = s.profile_id AND NOT is_gone(to_jsonb(p))
    LEFT JOIN tenants AS t ON t.id = CASE WHEN s.operator IS NULL THEN p.tenant_id ELSE s.tenant_id END
    WHERE s.token_hash = p_token_hash AND s.revoked_at IS NULL AND s.ends_at > fleet_now()
      AND s.seen_at > fleet_now() - interval '2 hours'
      AND (s.operator IS NOT NULL OR t.id IS NOT NULL);
END
$$;

-- Which tenant an operator looks at from now on; NULL: all of them.
CREATE OR REPLACE FUNCTION look_at_tenant(p_session bigint, p_tenant_id uuid) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE console_sessions AS s SET tenant_id = p_tenant_id
    WHERE s.id = p_session AND s.operator IS NOT NULL
      AND (p_tenant_id IS NULL OR EXISTS (SELECT FROM tenants AS t WHERE t.id = p_tenant_id))
    RETURNING true
$$;

-- Ends one session, or (NULL) all of them and every link that was not used yet. Returns how many sessions that were.
CREATE OR REPLACE FUNCTION end_console_sessions(p_session bigint) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH unused AS (
        DELETE FROM console_links AS l WHERE p_session IS NULL AND l.used_at IS NULL
    ), ended AS (
        UPDATE console_sessions AS s SET revoked_at = fleet_now()
        WHERE s.revoked_at IS NULL AND s.ends_at > fleet_now() AND (p_session IS NULL OR s.id = p_session)
        RETURNING 1
    )
    SELECT count(*) FROM ended
$$;

REVOKE ALL ON FUNCTION console_role(text), calling_user(), caller_is_manager(), console_tenant(uuid, text), console_who(text),
    note_console(uuid, bigint, text, text, text, text), make_console_link(bytea, uuid, text), may_ask_for_link(text, text),
    console_people(text), console_link_holder(bytea), enter_console(bytea, bytea, text), console_session(bytea),
    look_at_tenant(bigint, uuid), end_console_sessions(bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION calling_user(), caller_is_manager() TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION console_role(text), console_tenant(uuid, text), console_who(text),
    note_console(uuid, bigint, text, text, text, text), make_console_link(bytea, uuid, text), may_ask_for_link(text, text),
    console_people(text), console_link_holder(bytea), enter_console(bytea, bytea, text), console_session(bytea),
    look_at_tenant(bigint, uuid), end_console_sessions(bigint) TO service_role;
