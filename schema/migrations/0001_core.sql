-- The CRM's own tables, created where they are missing. Beside a real CRM this adds only the columns
-- the engines need and notes each one in fleet_core_additions, so that a rollback can take back
-- exactly what was added and nothing else.

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

CREATE SCHEMA IF NOT EXISTS auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;

DO $$
BEGIN
    IF to_regprocedure('auth.uid()') IS NULL THEN
        CREATE FUNCTION auth.uid() RETURNS uuid
        LANGUAGE sql STABLE SET search_path = pg_catalog
        AS $uid$
            SELECT nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '')::uuid
        $uid$;
        GRANT EXECUTE ON FUNCTION auth.uid() TO anon, authenticated, service_role;
    END IF;
END
$$;

CREATE TABLE IF NOT EXISTS fleet_core_additions (
    table_name  text NOT NULL,
    column_name text NOT NULL,          -- or '*' for a whole table, '+grant' and '+policy' for the workers' access
    PRIMARY KEY (table_name, column_name)
);
ALTER TABLE fleet_core_additions ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON fleet_core_additions FROM PUBLIC, anon, authenticated;

-- What the engines read and write of each CRM table: (table, column, type and constraints when added).
CREATE TEMPORARY TABLE core_column (ordinal serial, table_name text, column_name text, definition text);
INSERT INTO core_column (table_name, column_name, definition) VALUES
    ('tenants',  'name',                'text'),
    ('tenants',  'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('profiles', 'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('profiles', 'email',               'text'),
    ('profiles', 'full_name',           'text'),
    ('profiles', 'role',                'text'),
    ('profiles', 'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('clients',  'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('clients',  'company_name',        'text'),
    ('clients',  'owner_id',            'uuid REFERENCES profiles (id) ON DELETE SET NULL'),
    ('clients',  'industry',            'text'),
    ('clients',  'country',             'text'),
    ('clients',  'status',              'text'),
    ('clients',  'attributes',          'jsonb NOT NULL DEFAULT ''{}'''),
    ('clients',  'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('contacts', 'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('contacts', 'client_id',           'uuid REFERENCES clients (id) ON DELETE CASCADE'),
    ('contacts', 'first_name',          'text'),
    ('contacts', 'last_name',           'text'),
    ('contacts', 'email',               'text'),
    ('contacts', 'title',               'text'),
    ('contacts', 'phone',               'text'),
    ('contacts', 'mobile',              'text'),
    ('contacts', 'linkedin_url',        'text'),
    ('contacts', 'is_primary',          'boolean NOT NULL DEFAULT false'),
    ('contacts', 'attributes',          'jsonb NOT NULL DEFAULT ''{}'''),
    ('contacts', 'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('vendors',  'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('vendors',  'company_name',        'text'),
    ('vendors',  'email',               'text'),
    ('vendors',  'owner_id',            'uuid REFERENCES profiles (id) ON DELETE SET NULL'),
    ('vendors',  'category',            'text'),
    ('vendors',  'country',             'text'),
    ('vendors',  'status',              'text'),
    ('vendors',  'attributes',          'jsonb NOT NULL DEFAULT ''{}'''),
    ('vendors',  'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('orders',   'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('orders',   'client_id',           'uuid REFERENCES clients (id) ON DELETE CASCADE'),
    ('orders',   'contact_id',          'uuid REFERENCES contacts (id) ON DELETE SET NULL'),
    ('orders',   'order_number',        'text'),
    ('orders',   'status',              'text'),
    ('orders',   'delivered_at',        'timestamptz'),
    ('orders',   'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('deals',    'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('deals',    'client_id',           'uuid REFERENCES clients (id) ON DELETE CASCADE'),
    ('deals',    'contact_id',          'uuid REFERENCES contacts (id) ON DELETE SET NULL'),
    ('deals',    'owner_id',            'uuid REFERENCES profiles (id) ON DELETE SET NULL'),
    ('deals',    'title',               'text'),
    ('deals',    'stage',               'text NOT NULL DEFAULT ''lead'''),
    ('deals',    'value',               'numeric(14, 2)'),
    ('deals',    'probability',         'integer'),
    ('deals',    'expected_close_date', 'date'),
    ('deals',    'description',         'text'),
    ('deals',    'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('deals',    'updated_at',          'timestamptz'),
    ('cases',    'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('cases',    'client_id',           'uuid REFERENCES clients (id) ON DELETE CASCADE'),
    ('cases',    'contact_id',          'uuid REFERENCES contacts (id) ON DELETE SET NULL'),
    ('cases',    'order_id',            'uuid REFERENCES orders (id) ON DELETE SET NULL'),
    ('cases',    'title',               'text'),
    ('cases',    'description',         'text'),
    ('cases',    'status',              'text NOT NULL DEFAULT ''open'''),
    ('cases',    'priority',            'text'),
    ('cases',    'source',              'text'),
    ('cases',    'category',            'text'),
    ('cases',    'created_at',          'timestamptz NOT NULL DEFAULT now()'),
    ('tasks',    'tenant_id',           'uuid REFERENCES tenants (id) ON DELETE CASCADE'),
    ('tasks',    'title',               'text'),
    ('tasks',    'description',         'text'),
    ('tasks',    'status',              'text NOT NULL DEFAULT ''open'''),
    ('tasks',    'priority',            'text'),
    ('tasks',    'assigned_to',         'uuid REFERENCES profiles (id) ON DELETE SET NULL'),
    ('tasks',    'due_at',              'timestamptz'),
    ('tasks',    'created_at',          'timestamptz NOT NULL DEFAULT now()');

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
        FOR v_column IN SELECT * FROM core_column WHERE table_name = v_table ORDER BY ordinal LOOP
            IF NOT EXISTS (
                SELECT FROM pg_attribute
                WHERE attrelid = ('public.' || v_table)::regclass AND attname = v_column.column_name AND NOT attisdropped
            ) THEN
                EXECUTE format('ALTER TABLE public.%I ADD COLUMN %I %s',
                               v_table, v_column.column_name, v_column.definition);
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

DROP TABLE core_column;
