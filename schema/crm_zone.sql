-- Lets the fleet's functions work in the CRM's zone, whoever calls them and in which zone his session lives: triggers run in
-- the CRM's own sessions, and PostgreSQL compares and converts a timestamp that names no zone by the session's. Expects
-- the functions' names in fleet.functions; does nothing where no zone is kept. What pins no search_path is inlined into
-- what does, and what is immutable asks no clock. Can be repeated.

DO $$
DECLARE
    v_zone text;
    v_function regprocedure;
BEGIN
    IF to_regprocedure('crm_zone()') IS NULL THEN
        RETURN;
    END IF;
    v_zone := crm_zone();
    FOR v_function IN
        SELECT p.oid FROM pg_proc AS p
        WHERE p.pronamespace = 'public'::regnamespace AND current_setting('fleet.functions')::jsonb ? p.proname
          AND p.provolatile <> 'i' AND p.proconfig::text LIKE '%search_path%' AND ('TimeZone=' || v_zone) <> ALL (p.proconfig)
    LOOP
        EXECUTE format('ALTER FUNCTION %s SET timezone = %L', v_function, v_zone);
    END LOOP;
END
$$;
