-- What went wrong in the fleet's triggers on the CRM's tables: the CRM's row is written all the same, and somebody hears
-- of it.

CREATE TABLE fleet_faults (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source     text NOT NULL,                    -- the trigger's function
    table_name text NOT NULL,
    row_id     text,                             -- the first row of that hour
    sqlstate   text NOT NULL,
    message    text NOT NULL,
    noted_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idx_faults_noted ON fleet_faults (noted_at);

-- Tables that were created here refer to each other: who deletes a client must not search every deal. A CRM that brought
-- its tables along keeps its own indexes, and the columns added to them refer to nothing.
DO $$
DECLARE
    v_key record;
BEGIN
    FOR v_key IN
        SELECT k.conrelid::regclass AS table_name, a.attname AS column_name
        FROM pg_constraint AS k
        JOIN pg_class AS c ON c.oid = k.conrelid AND c.relnamespace = 'public'::regnamespace
        JOIN fleet_core_additions AS f ON f.table_name = c.relname AND f.column_name = '*'
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
        WHERE k.contype = 'f' AND cardinality(k.conkey) = 1 AND k.confrelid <> 'tenants'::regclass  -- they hardly ever go
          AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid AND i.indkey[0] = k.conkey[1] AND i.indpred IS NULL)
        ORDER BY c.relname, a.attname
    LOOP
        EXECUTE format('CREATE INDEX ON %s (%I)', v_key.table_name, v_key.column_name);
    END LOOP;
END
$$;
