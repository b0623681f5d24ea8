-- Takes back the columns, grants and policies that were added to tables the CRM already had. Tables that were created
-- because they were missing hold the CRM's rows by now and stay, as do the roles and auth.uid().

DO $$
DECLARE
    v_added record;
BEGIN
    IF to_regclass('public.fleet_core_additions') IS NULL THEN
        RETURN;
    END IF;
    FOR v_added IN
        SELECT * FROM fleet_core_additions AS a
        WHERE a.column_name <> '*' AND to_regclass(format('public.%I', a.table_name)) IS NOT NULL
    LOOP
        CASE v_added.column_name
            WHEN '+grant' THEN
                EXECUTE format('REVOKE SELECT, INSERT, UPDATE ON public.%I FROM service_role', v_added.table_name);
            WHEN '+policy' THEN
                EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON public.%I', v_added.table_name);
            ELSE
                EXECUTE format('ALTER TABLE public.%I DROP COLUMN IF EXISTS %I', v_added.table_name, v_added.column_name);
        END CASE;
    END LOOP;

    -- A CRM that came without vendors does not keep a table of them that nobody ever used.
    IF to_regclass('public.vendors') IS NOT NULL
        AND EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.table_name = 'vendors' AND a.column_name = '*')
        AND NOT EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.table_name = 'deals' AND a.column_name = '*')
        AND NOT EXISTS (SELECT FROM vendors)
    THEN
        DROP TABLE vendors;
    END IF;
    DROP TABLE fleet_core_additions;
END
$$;
