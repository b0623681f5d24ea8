-- Takes back the columns that were added to tables the CRM already had. Tables that were created
-- because they were missing hold the CRM's rows by now and stay, as do the roles and auth.uid().

DO $$
DECLARE
    v_added record;
BEGIN
    FOR v_added IN SELECT * FROM fleet_core_additions WHERE column_name <> '*' LOOP
        EXECUTE format('ALTER TABLE public.%I DROP COLUMN IF EXISTS %I', v_added.table_name, v_added.column_name);
    END LOOP;
END
$$;

DROP TABLE fleet_core_additions;
