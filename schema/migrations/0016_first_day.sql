-- How an engine works for a tenant for whom nobody has decided, and who took an engine live.

CREATE TABLE fleet_defaults (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    mode     text NOT NULL CHECK (mode IN ('automatic', 'review', 'off'))
);

-- Beside a CRM that was there before, people look first. FLEET_DEFAULT_MODE says otherwise, see workers/db/migrate.py.
INSERT INTO fleet_defaults (mode)
SELECT CASE WHEN EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.table_name = 'tenants' AND a.column_name = '*')
            THEN 'automatic' ELSE 'review' END;

ALTER TABLE engine_settings
    ADD COLUMN live_by text,
    ADD COLUMN live_at timestamptz;
