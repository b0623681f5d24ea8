-- The last thing that goes; a CRM's own migration_history stays.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_depend AS d JOIN pg_rewrite AS r ON r.oid = d.objid
               WHERE d.refobjid = to_regclass('public.fleet_migration_history')
                 AND r.ev_class = to_regclass('public.migration_history'))
    THEN
        DROP VIEW migration_history;
    END IF;
END
$$;
DROP TABLE IF EXISTS fleet_migration_history, fleet_schema_version;
