-- What was applied to this database, and when. It was called migration_history at first, a name that CRMs have too: a
-- table of that name is taken over only if it is the fleet's own. Can be repeated.

DO $$
DECLARE
    v_ours boolean := false;
BEGIN
    IF to_regclass('public.fleet_migration_history') IS NULL
       AND (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = to_regclass('public.migration_history') AND a.attnum > 0 AND NOT a.attisdropped)
           = ARRAY['id', 'name', 'checksum', 'applied_at']
    THEN
        SELECT EXISTS (SELECT FROM migration_history AS h WHERE h.name = '0001_core') INTO v_ours;
    END IF;
    IF v_ours THEN
        ALTER TABLE migration_history RENAME TO fleet_migration_history;
        ALTER INDEX migration_history_pkey RENAME TO fleet_migration_history_pkey;
        ALTER SEQUENCE migration_history_id_seq RENAME TO fleet_migration_history_id_seq;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS fleet_migration_history (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE fleet_migration_history ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON fleet_migration_history FROM PUBLIC;

-- The same for those who look for it under the name that P1 gave it, unless somebody has that name.
DO $$
BEGIN
    IF to_regclass('public.migration_history') IS NULL THEN
        CREATE VIEW migration_history WITH (security_invoker = true) AS
        SELECT h.id, h.name AS migration_name, h.checksum, h.applied_at FROM fleet_migration_history AS h;
        REVOKE ALL ON migration_history FROM PUBLIC;
    END IF;
END
$$;
