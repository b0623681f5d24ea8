-- The CRM's own tables, created where they are missing. Beside a real CRM this adds only the columns
-- the engines need (core_columns.sql) and notes each one in fleet_core_additions, so that a rollback can take back
-- exactly what was added and nothing else. A column added to a CRM's table is empty and refers to nothing: no fact is
-- invented, and no row of the CRM's goes because another one went.

DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = v_role) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;  -- roles belong to the cluster: another database's migration was faster
            END;
        END IF;
    END LOOP;
    IF NOT pg_has_role(current_user, 'service_role', 'MEMBER') THEN
        EXECUTE format('GRANT service_role TO %I', current_user);
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS fleet_core_additions (
    table_name  text NOT NULL,
    column_name text NOT NULL,  -- or '*' for the whole table, '+grant …' and '+policy' for the workers' access;
                                -- of schemas '+schema', '+uid' and '+usage …'
    PRIMARY KEY (table_name, column_name)
);
ALTER TABLE fleet_core_additions ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON fleet_core_additions FROM PUBLIC, anon, authenticated;

DO $$
DECLARE
    v_schema text;
    v_role text;
BEGIN
    IF to_regnamespace('auth') IS NULL THEN
        CREATE SCHEMA auth;
        INSERT INTO fleet_core_additions VALUES ('auth', '+schema');
    END IF;
    IF to_regprocedure('auth.uid()') IS NULL THEN
        CREATE FUNCTION auth.uid() RETURNS uuid
        LANGUAGE sql STABLE SET search_path = pg_catalog
        AS $uid$
            SELECT nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
        $uid$;
        GRANT EXECUTE ON FUNCTION auth.uid() TO anon, authenticated, service_role;
        INSERT INTO fleet_core_additions VALUES ('auth', '+uid');
    END IF;
    FOREACH v_schema IN ARRAY ARRAY['auth', 'public'] LOOP
        FOREACH v_role IN ARRAY ARRAY['anon', 'authenticated', 'service_role'] LOOP
            IF NOT has_schema_privilege(v_role, v_schema, 'USAGE') THEN
                EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', v_schema, v_role);
                INSERT INTO fleet_core_additions VALUES (v_schema, '+usage ' || v_role);
            END IF;
        END LOOP;
    END LOOP;
END
$$;

DO $$
DECLARE
    v_table text;
    v_column record;
    v_created boolean;
BEGIN
    FOR v_table IN SELECT table_name FROM core_column GROUP BY table_name ORDER BY min(ordinal) LOOP
        v_created := to_regclass('public.' || v_table) IS NULL;
        IF v_created THEN
            EXECUTE format('CREATE TABLE public.%I (id uuid PRIMARY KEY DEFAULT gen_random_uuid())', v_table);
            INSERT INTO fleet_core_additions VALUES (v_table, '*') ON CONFLICT DO NOTHING;
        END IF;
        FOR v_column IN SELECT * FROM core_column WHERE table_name = v_table AND use NOT IN ('p1', 'fleet') ORDER BY ordinal LOOP
            IF NOT EXISTS (
                SELECT FROM pg_attribute
                WHERE attrelid = ('public.' || v_table)::regclass AND attname = v_column.column_name AND NOT attisdropped
            ) THEN
                EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s %s', v_table, v_column.column_name, v_column.type,
                               CASE WHEN v_created THEN v_column.constraints END);
                IF NOT v_created THEN
                    INSERT INTO fleet_core_additions VALUES (v_table, v_column.column_name) ON CONFLICT DO NOTHING;
                END IF;
            END IF;
        END LOOP;
        IF v_created THEN
            EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', v_table);
            EXECUTE format('GRANT ALL ON public.%I TO service_role', v_table);
            EXECUTE format('GRANT SELECT ON public.%I TO authenticated', v_table);
            IF v_table NOT IN ('tenants', 'profiles') THEN  -- who belongs where is not for users to write
                EXECUTE format('GRANT INSERT, UPDATE, DELETE ON public.%I TO authenticated', v_table);
            END IF;
        END IF;
    END LOOP;

    -- A table made here carries the tenant on every row; an existing CRM keeps its own constraints.
    FOR v_table IN
        SELECT a.table_name FROM fleet_core_additions AS a
        WHERE a.column_name = '*' AND a.table_name <> 'tenants'
    LOOP
        EXECUTE format('ALTER TABLE public.%I ALTER COLUMN tenant_id SET NOT NULL', v_table);
    END LOOP;
END
$$;
