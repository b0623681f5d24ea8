-- Whom nobody writes to any more, and who said so.

-- "No engine at all" is the wider word: it replaces one that was said for some engines, whoever says it.
CREATE OR REPLACE FUNCTION widen_suppression() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF NEW.engines IS NULL THEN
        DELETE FROM suppressions AS s
        WHERE s.tenant_id = NEW.tenant_id AND s.address = NEW.address AND s.engines IS NOT NULL;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER suppression_widened
    BEFORE INSERT ON suppressions
    FOR EACH ROW EXECUTE FUNCTION widen_suppression();

-- Suppresses a mailbox, in every spelling that the tenant's contacts have for it, for one engine or (NULL) for all, and
-- notes who decided that. Returns the addresses; was says why one was suppressed before, and that stays as it is.
CREATE OR REPLACE FUNCTION add_suppression(p_tenant_id uuid, p_address text, p_engine text, p_by text, p_why text)
RETURNS TABLE (address text, was text)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH spelled AS (
        SELECT lower(btrim(p_address)) AS address
        UNION
        SELECT lower(btrim(c.email)) FROM contacts_with_address(p_tenant_id, folded_address(p_address), p_address) AS c
    ), added AS (
        INSERT INTO suppressions AS s (tenant_id, address, reason, engines, added_by, created_at)
        SELECT p_tenant_id, w.address, p_why, CASE WHEN p_engine IS NOT NULL THEN ARRAY[p_engine] END, p_by, fleet_now()
        FROM spelled AS w
        ON CONFLICT (tenant_id, address) DO UPDATE
            SET engines = s.engines || excluded.engines, reason = excluded.reason, added_by = excluded.added_by
            WHERE NOT p_engine = ANY (s.engines)
        RETURNING s.address, s.engines
    ), noted AS (
        INSERT INTO fleet_decisions (tenant_id, about, item, decision, after, why, decided_by, decided_at)
        SELECT p_tenant_id, 'suppression', a.address, 'add', jsonb_build_object('engines', a.engines), p_why, p_by, fleet_now()
        FROM added AS a
    )
    SELECT w.address, CASE WHEN a.address IS NULL THEN s.reason END
    FROM spelled AS w
    LEFT JOIN added AS a ON a.address = w.address
    LEFT JOIN suppressions AS s ON s.tenant_id = p_tenant_id AND s.address = w.address
    ORDER BY w.address
$$;

-- What of a mailbox is suppressed: for one engine by its name, or (p_engine NULL) at all.
CREATE OR REPLACE FUNCTION suppressions_of(p_tenant_id uuid, p_address text, p_engine text) RETURNS SETOF suppressions
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT s FROM suppressions AS s
    WHERE s.tenant_id = p_tenant_id
      AND (folded_mailbox(s.address) = folded_address(p_address) OR s.address = fingerprint_of(folded_address(p_address)))
      AND (p_engine IS NULL OR p_engine = ANY (s.engines))
    ORDER BY s.address
$$;

-- Lets a mailbox be written to again, by one engine for which it was suppressed or (NULL) by all, and notes who decided
-- that. Returns the addresses.
CREATE OR REPLACE FUNCTION remove_suppression(p_tenant_id uuid, p_address text, p_engine text, p_by text, p_why text)
RETURNS SETOF text
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH found AS MATERIALIZED (
        SELECT f.*, array_remove(f.engines, p_engine) AS rest FROM suppressions_of(p_tenant_id, p_address, p_engine) AS f
    ), narrowed AS (
        UPDATE suppressions AS s SET engines = f.rest FROM found AS f
        WHERE s.tenant_id = f.tenant_id AND s.address = f.address AND p_engine IS NOT NULL AND f.rest <> '{}'
    ), removed AS (
        DELETE FROM suppressions AS s USING found AS f
        WHERE s.tenant_id = f.tenant_id AND s.address = f.address AND (p_engine IS NULL OR f.rest = '{}')
    )
    INSERT INTO fleet_decisions (tenant_id, about, item, decision, before, why, decided_by, decided_at)
    SELECT f.tenant_id, 'suppression', f.address, 'remove',
           jsonb_build_object('engines', f.engines, 'reason', f.reason, 'since', f.created_at), p_why, p_by, fleet_now()
    FROM found AS f
    RETURNING item
$$;

-- The suppressions of one tenant, engine or mailbox or (NULL) of any.
CREATE OR REPLACE FUNCTION suppressions_listed(p_tenant_id uuid, p_engine text, p_address text) RETURNS TABLE (
    tenant_id uuid, tenant_name text, address text, engines text[], reason text, added_by text, created_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT t.id, t.name::text, s.address, s.engines, s.reason, s.added_by, s.created_at
    FROM suppressions AS s
    JOIN tenants AS t ON t.id = s.tenant_id
    WHERE (p_tenant_id IS NULL OR s.tenant_id = p_tenant_id)
      AND (p_engine IS NULL OR s.engines IS NULL OR p_engine = ANY (s.engines))
      AND (p_address IS NULL OR folded_mailbox(s.address) = folded_address(p_address)
           OR s.address = fingerprint_of(folded_address(p_address)))
$$;

-- The newest of them; total counts all.
CREATE OR REPLACE FUNCTION list_suppressions(p_tenant_id uuid, p_engine text, p_address text, p_limit integer) RETURNS TABLE (
    tenant_name text, address text, engines text[], reason text, added_by text, created_at timestamptz, total bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT s.tenant_name, s.address, s.engines, s.reason, s.added_by, s.created_at, count(*) OVER ()
    FROM suppressions_listed(p_tenant_id, p_engine, p_address) AS s
    ORDER BY s.created_at DESC, s.tenant_name, s.address
    LIMIT p_limit
$$;

REVOKE ALL ON FUNCTION widen_suppression(), add_suppression(uuid, text, text, text, text), suppressions_of(uuid, text, text),
    remove_suppression(uuid, text, text, text, text), suppressions_listed(uuid, text, text),
    list_suppressions(uuid, text, text, integer)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION add_suppression(uuid, text, text, text, text), suppressions_of(uuid, text, text),
    remove_suppression(uuid, text, text, text, text), suppressions_listed(uuid, text, text),
    list_suppressions(uuid, text, text, integer) TO service_role;
