-- Takes back what was added to the CRM's tables, and beside a CRM the tables that were missing and that nobody has used.
-- Tables with rows stay, because the rows are the CRM's by now; so do all of them where there was no CRM, the functions
-- their policies ask, and the roles, which belong to the whole server.

DO $$
DECLARE
    v_added record;
    v_standalone boolean;
    v_used boolean;
BEGIN
    IF to_regclass('public.fleet_core_additions') IS NULL THEN
        RETURN;
    END IF;
    v_standalone := (SELECT count(*) = 9 FROM fleet_core_additions AS a WHERE a.column_name = '*');  -- all of the CRM's

    FOR v_added IN
        SELECT * FROM fleet_core_additions AS a
        WHERE a.column_name <> '*' AND to_regclass(format('public.%I', a.table_name)) IS NOT NULL
    LOOP
        IF v_added.column_name = '+policy' THEN
            EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON public.%I', v_added.table_name);
        ELSIF v_added.column_name LIKE '+grant%' THEN
            EXECUTE format('REVOKE %s ON public.%I FROM service_role',
                           coalesce(substring(v_added.column_name FROM ' (.*)'), 'SELECT, INSERT, UPDATE'), v_added.table_name);
        ELSE
            EXECUTE format('ALTER TABLE public.%I DROP COLUMN IF EXISTS %I', v_added.table_name, v_added.column_name);
        END IF;
    END LOOP;

    -- Those that refer to others go first.
    FOR v_added IN
        SELECT a.table_name FROM fleet_core_additions AS a
        JOIN unnest(ARRAY['tasks', 'cases', 'deals', 'orders', 'vendors', 'contacts', 'clients', 'profiles',
                          'tenants'])
            WITH ORDINALITY AS o (table_name, n) USING (table_name)
        WHERE a.column_name = '*' AND NOT v_standalone AND to_regclass(format('public.%I', a.table_name)) IS NOT NULL
        ORDER BY o.n
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM public.%I)', v_added.table_name) INTO v_used;
        IF NOT v_used THEN
            BEGIN
                EXECUTE format('DROP TABLE public.%I', v_added.table_name);
            EXCEPTION WHEN dependent_objects_still_exist THEN
                NULL;  -- something of the CRM's own stands on it by now
            END;
        END IF;
    END LOOP;

    IF NOT EXISTS (SELECT FROM pg_policies AS p WHERE p.policyname = 'fleet_own_tenant') THEN
        FOR v_added IN SELECT * FROM fleet_core_additions AS a WHERE a.column_name LIKE '+usage %' LOOP
            EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM %I', v_added.table_name, substring(v_added.column_name FROM ' (.*)'));
        END LOOP;
        BEGIN
            IF EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.column_name = '+uid') THEN
                DROP FUNCTION IF EXISTS auth.uid();
            END IF;
            IF EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.column_name = '+schema') THEN
                DROP SCHEMA IF EXISTS auth;
            END IF;
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL;
        END;
    END IF;
    DROP TABLE fleet_core_additions;
END
$$;
