-- A moment as the CRM wrote it down, as an instant. Columns that name no zone are read in crm_zone(), which is there only
-- where FLEET_NAIVE_ZONE said it to a migration (the session's fleet.naive_zone). PostgreSQL inlines both, and for
-- timestamptz nothing is left to do: an index over such a column costs what it cost without. They stand before the first
-- migration and go after the last, because indexes are built by them. Can be repeated.

CREATE OR REPLACE FUNCTION crm_instant(p_at timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT p_at
$$;

DO $$
DECLARE
    v_zone constant text := nullif(current_setting('fleet.naive_zone', true), '');
BEGIN
    IF v_zone IS NOT NULL THEN
        EXECUTE format('CREATE OR REPLACE FUNCTION crm_zone() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE'
                       ' SET search_path = public, pg_temp AS %L', format('SELECT %L::text', v_zone));
        EXECUTE format('CREATE OR REPLACE FUNCTION crm_instant(p_at timestamp) RETURNS timestamptz'
                       ' LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %L', format('SELECT p_at AT TIME ZONE %L', v_zone));
    END IF;
END
$$;
