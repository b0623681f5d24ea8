-- The trail of what people did at the console and programs over the API. Read as whoever asks: row-level security shows a tenant's
-- managers what was done for their tenant, and the operator everything.

-- The newest rows of a filter, for a tenant or (NULL) for all that the caller sees. Written out for each filter, so that each gets a
-- plan of its own.
-- p_filter: any of {"who", "what", "item": a part of it, "since", "until": from then on or before then, "at" and
--           "id": only what comes after this row in the list}
CREATE OR REPLACE FUNCTION console_trail(p_tenant_id uuid, p_filter jsonb, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_conditions text;
BEGIN
    SELECT coalesce(string_agg(c.condition, ' AND '), 'true') INTO v_conditions
    FROM (VALUES
        ('who',   'a.who = $1 ->> ''who'''),    -- as it is spelled: under row-level security lower() would ask no index
        ('what',  'a.what = $1 ->> ''what'''),
        ('item',  'position(lower($1 ->> ''item'') IN lower(a.item)) > 0'),
        ('since', 'a.at >= ($1 ->> ''since'')::timestamptz'),
        ('until', 'a.at < ($1 ->> ''until'')::timestamptz'),
        ('at',    '(a.at, a.id) < (($1 ->> ''at'')::timestamptz, ($1 ->> ''id'')::bigint)')
    ) AS c (key, condition)
    WHERE p_filter ? c.key;
    IF p_tenant_id IS NOT NULL THEN
        v_conditions := v_conditions || ' AND a.tenant_id = $2';
    END IF;
    RETURN QUERY EXECUTE format(
        'SELECT jsonb_build_object(''id'', n.id, ''at'', n.at, ''tenant_name'', t.name, ''who'', n.who, ''what'', n.what,'
        ' ''item'', n.item, ''origin'', n.origin)'
        ' FROM (SELECT * FROM console_audit AS a WHERE %s ORDER BY a.at DESC, a.id DESC LIMIT $3) AS n'
        ' LEFT JOIN tenants AS t ON t.id = n.tenant_id ORDER BY n.at DESC, n.id DESC', v_conditions)
    USING p_filter, p_tenant_id, p_limit;
END
$$;

-- The kinds of things that were ever done by anybody, in words of the fleet's own; each is looked up by the one before it.
CREATE OR REPLACE FUNCTION console_trail_kinds(p_tenant_id uuid) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM console_tenant(p_tenant_id, 'manager');
    RETURN QUERY
    WITH RECURSIVE kinds (what) AS (
        SELECT min(a.what) FROM console_audit AS a
        UNION ALL
        SELECT (SELECT min(a.what) FROM console_audit AS a WHERE a.what > k.what) FROM kinds AS k WHERE k.what IS NOT NULL
    )
    SELECT k.what FROM kinds AS k WHERE k.what IS NOT NULL;
END
$$;

REVOKE ALL ON FUNCTION console_trail(uuid, jsonb, integer), console_trail_kinds(uuid) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_trail(uuid, jsonb, integer), console_trail_kinds(uuid) TO authenticated, service_role;
