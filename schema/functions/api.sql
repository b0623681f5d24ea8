-- Programs at the API: the tokens that they show, and the answers that are kept for whoever asks twice. For the workers
-- alone, but for what stands at the end, which asks console_tenant first, as the functions of console_pages.sql do.

-- Makes a token (p_tenant_id NULL: the operator's); what is shown to the database is its SHA-256. Returns its id; NULL: it was
-- made before. Whoever makes it twice within a minute, as a double press does, makes one and gets its id both times.
CREATE OR REPLACE FUNCTION make_token(
    p_token_hash bytea, p_tenant_id uuid, p_name text, p_role text, p_per_minute integer, p_ends_at timestamptz,
    p_session bigint, p_by text, p_origin text
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_problem constant text := CASE
        WHEN p_role NOT IN ('reader', 'agent', 'manager', 'operator')
            THEN format('no role %s: there are reader, agent, manager, operator', p_role)
        WHEN (p_role = 'operator') <> (p_tenant_id IS NULL)
            THEN 'a token is for one tenant, or for all of them with the role operator, not both'
        WHEN btrim(p_name) = '' THEN 'a token needs a name, by which what it does is kept'
        WHEN length(btrim(p_name)) > 100 THEN 'a token''s name has at most 100 characters'
        WHEN p_per_minute NOT BETWEEN 1 AND 100000 THEN 'a token may be shown from 1 to 100,000 times in a minute' END;
    v_id uuid;
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%', v_problem USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO api_tokens (token_hash, tenant_id, name, role, per_minute, ends_at, made_by, made_at)
    VALUES (p_token_hash, p_tenant_id, btrim(p_name), p_role, p_per_minute, p_ends_at, p_by, fleet_now())
    ON CONFLICT (token_hash) DO NOTHING RETURNING id INTO v_id;
    IF FOUND THEN
        PERFORM note_console(p_tenant_id, p_session, p_by, 'makes a token', format('%s (%s)', btrim(p_name), v_id), p_origin);
        RETURN v_id;
    END IF;
    RETURN (SELECT k.id FROM api_tokens AS k
            WHERE k.token_hash = p_token_hash AND k.revoked_at IS NULL AND k.made_at > fleet_now() - interval '1 minute');
END
$$;

-- The tokens of a tenant or (NULL) of everybody, the newest first. state: good, ended or revoked.
CREATE OR REPLACE FUNCTION list_tokens(p_tenant_id uuid) RETURNS TABLE (
    token_id uuid, name text, tenant_name text, role text, state text, per_minute integer, made_by text, made_at timestamptz,
    ends_at timestamptz, revoked_at timestamptz, seen_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT k.id, k.name, t.name::text, k.role,
           CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.ends_at <= fleet_now() THEN 'ended' ELSE 'good' END,
           k.per_minute, k.made_by, k.made_at, k.ends_at, k.revoked_at, k.seen_at
    FROM api_tokens AS k
    LEFT JOIN tenants AS t ON t.id = k.tenant_id
    WHERE p_tenant_id IS NULL OR k.tenant_id = p_tenant_id
    ORDER BY k.made_at DESC, k.id
$$;

-- Lets a token be good for nothing any more. False: there is none of that id that was good.
CREATE OR REPLACE FUNCTION revoke_token(p_token_id uuid, p_session bigint, p_by text, p_origin text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_token api_tokens;
BEGIN
    UPDATE api_tokens AS k SET revoked_at = fleet_now() WHERE k.id = p_token_id AND k.revoked_at IS NULL RETURNING * INTO v_token;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM note_console(v_token.tenant_id, p_session, p_by, 'revokes a token', format('%s (%s)', v_token.name, v_token.id), p_origin);
    RETURN true;
END
$$;

-- Whose a token is, and counts the call. No row: nobody's. state: see list_tokens; wait_seconds: how long until it may call
-- again that has called too often within the minute.
CREATE OR REPLACE FUNCTION use_token(p_token_hash bytea)
RETURNS TABLE (token_id uuid, name text, role text, state text, wait_seconds integer)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp ROWS 1
AS $$
    UPDATE api_tokens AS k SET
        seen_at = fleet_now(),
        calls = CASE WHEN w.goes_on THEN k.calls + 1 ELSE 1 END,
        counted_at = CASE WHEN w.goes_on THEN k.counted_at ELSE fleet_now() END
    FROM (SELECT x.id, x.counted_at BETWEEN fleet_now() - interval '1 minute' AND fleet_now() IS TRUE AS goes_on
          FROM api_tokens AS x WHERE x.token_hash = p_token_hash FOR NO KEY UPDATE) AS w
    WHERE k.id = w.id
    RETURNING k.id, k.name, k.role,
        CASE WHEN k.revoked_at IS NOT NULL THEN 'revoked' WHEN k.ends_at <= fleet_now() THEN 'ended' ELSE 'good' END,
        CASE WHEN k.calls > k.per_minute THEN ceil(extract(epoch FROM k.counted_at + interval '1 minute' - fleet_now()))::integer END
$$;

-- What a caller was answered under a key within the last day. in_flight: another request under it is being answered, now;
-- else the key is this transaction's until it ends. No answer and not in flight: nobody asked so yet.
CREATE OR REPLACE FUNCTION answer_before(p_caller uuid, p_key text)
RETURNS TABLE (in_flight boolean, request_hash bytea, status integer, headers jsonb, body bytea)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtextextended(p_caller || ' ' || p_key, 0)) THEN
        RETURN QUERY SELECT true, NULL::bytea, NULL::integer, NULL::jsonb, NULL::bytea;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT false, a.request_hash, a.status, a.headers, a.body FROM api_answers AS a
    WHERE a.caller = p_caller AND a.key = p_key AND a.answered_at > fleet_now() - interval '1 day';
END
$$;

CREATE OR REPLACE FUNCTION keep_answer(
    p_caller uuid, p_key text, p_tenant_id uuid, p_request_hash bytea, p_status integer, p_headers jsonb, p_body bytea
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO api_answers (caller, key, tenant_id, request_hash, status, headers, body, answered_at)
    VALUES (p_caller, p_key, p_tenant_id, p_request_hash, p_status, p_headers, p_body, fleet_now())
    ON CONFLICT (caller, key) DO UPDATE SET    -- of longer than a day ago
        tenant_id = excluded.tenant_id, request_hash = excluded.request_hash, status = excluded.status,
        headers = excluded.headers, body = excluded.body, answered_at = excluded.answered_at
$$;

-- Forgets the answers that nobody is given again.
CREATE OR REPLACE FUNCTION prune_answers() RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    DELETE FROM api_answers AS a WHERE a.answered_at <= fleet_now() - interval '1 day'
$$;

-- The tokens of a tenant, or for the operator of everybody, see list_tokens.
CREATE OR REPLACE FUNCTION console_tokens(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT to_jsonb(k) FROM list_tokens(console_tenant(p_tenant_id, 'manager')) AS k ORDER BY k.made_at DESC, k.token_id;
END
$$;

CREATE OR REPLACE FUNCTION console_make_token(
    p_tenant_id uuid, p_token_hash bytea, p_name text, p_role text, p_per_minute integer, p_ends_at timestamptz,
    p_session bigint, p_by text, p_origin text
) RETURNS uuid
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN make_token(p_token_hash, console_tenant(p_tenant_id, 'manager'), p_name, p_role, p_per_minute, p_ends_at,
                      p_session, console_who(p_by), p_origin);
END
$$;

CREATE OR REPLACE FUNCTION console_revoke_token(p_tenant_id uuid, p_token uuid, p_session bigint, p_by text, p_origin text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'manager');
BEGIN
    PERFORM FROM api_tokens AS k WHERE k.id = p_token AND (v_tenant IS NULL OR k.tenant_id = v_tenant);
    RETURN FOUND AND revoke_token(p_token, p_session, console_who(p_by), p_origin);
END
$$;

-- As console_runs and console_suppressions, page by page: what comes after the last one of a page.
CREATE OR REPLACE FUNCTION api_runs(p_tenant_id uuid, p_engine text, p_status text, p_before bigint, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT r.shown FROM (
        SELECT x.id FROM engine_runs AS x
        WHERE (p_engine IS NULL OR x.engine = p_engine) AND (p_status IS NULL OR x.status = p_status)
          AND (p_before IS NULL OR x.id < p_before)
        ORDER BY x.id DESC LIMIT p_limit
    ) AS page
    CROSS JOIN LATERAL console_runs(v_tenant, page.id, NULL, NULL, NULL, NULL, 1) AS r (shown)
    ORDER BY page.id DESC;
END
$$;

CREATE OR REPLACE FUNCTION api_suppressions(
    p_tenant_id uuid, p_address text, p_at timestamptz, p_after text, p_after_tenant uuid, p_limit integer
) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(s) FROM suppressions_listed(v_tenant, NULL, p_address) AS s
    WHERE p_at IS NULL OR (s.created_at, s.address, s.tenant_id) < (p_at, p_after, p_after_tenant)
    ORDER BY s.created_at DESC, s.address DESC, s.tenant_id DESC LIMIT p_limit;
END
$$;

REVOKE ALL ON FUNCTION make_token(bytea, uuid, text, text, integer, timestamptz, bigint, text, text), list_tokens(uuid),
    revoke_token(uuid, bigint, text, text),
    use_token(bytea), answer_before(uuid, text), keep_answer(uuid, text, uuid, bytea, integer, jsonb, bytea), prune_answers(),
    api_runs(uuid, text, text, bigint, integer), api_suppressions(uuid, text, timestamptz, text, uuid, integer), console_tokens(uuid),
    console_make_token(uuid, bytea, text, text, integer, timestamptz, bigint, text, text),
    console_revoke_token(uuid, uuid, bigint, text, text)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION make_token(bytea, uuid, text, text, integer, timestamptz, bigint, text, text), list_tokens(uuid),
    revoke_token(uuid, bigint, text, text),
    use_token(bytea), answer_before(uuid, text), keep_answer(uuid, text, uuid, bytea, integer, jsonb, bytea), prune_answers()
    TO service_role;
GRANT EXECUTE ON FUNCTION api_runs(uuid, text, text, bigint, integer),
    api_suppressions(uuid, text, timestamptz, text, uuid, integer), console_tokens(uuid),
    console_make_token(uuid, bytea, text, text, integer, timestamptz, bigint, text, text),
    console_revoke_token(uuid, uuid, bigint, text, text) TO authenticated, service_role;
