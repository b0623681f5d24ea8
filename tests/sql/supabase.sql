-- A database as a CRM on Supabase leaves it: roles, default privileges that give everything to everyone,
-- auth.uid(), and the CRM's own tables with its own extra columns, rules, policies, trigger and rows.

DO $$
BEGIN
    CREATE ROLE anon NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
DO $$
BEGIN
    CREATE ROLE authenticated NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;
DO $$
BEGIN
    CREATE ROLE service_role NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

GRANT USAGE ON SCHEMA public TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;

CREATE SCHEMA auth;
GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
CREATE TABLE auth.users (id uuid PRIMARY KEY, email text);
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$
    SELECT nullif(coalesce(current_setting('request.jwt.claim.sub', true),
                           nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'), '')::uuid
$$;

CREATE TABLE tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text NOT NULL, plan text DEFAULT 'pro');
CREATE TABLE profiles (
    id uuid PRIMARY KEY REFERENCES auth.users (id), tenant_id uuid NOT NULL REFERENCES tenants (id), email text,
    role text, avatar_url text
);
CREATE TABLE clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    company_name text NOT NULL, owner_id uuid REFERENCES profiles (id), tax_number text UNIQUE
);
CREATE TABLE contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id), first_name text NOT NULL, last_name text, email text, title text,
    phone text, mobile text, linkedin_url text, is_primary boolean DEFAULT false, birthday date
);
CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id), contact_id uuid REFERENCES contacts (id), order_number text NOT NULL,
    status text NOT NULL DEFAULT 'new', delivered_at timestamptz, total numeric CHECK (total >= 0)
);
CREATE TABLE deals (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id), contact_id uuid REFERENCES contacts (id),
    owner_id uuid REFERENCES profiles (id), title text NOT NULL, stage text NOT NULL DEFAULT 'lead',
    value numeric, probability integer CHECK (probability BETWEEN 0 AND 100), expected_close_date date,
    description text, source text, created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deals_by_stage ON deals (tenant_id, stage);
CREATE TABLE cases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    order_id uuid REFERENCES orders (id), client_id uuid REFERENCES clients (id),
    contact_id uuid REFERENCES contacts (id), title text NOT NULL, description text,
    status text NOT NULL DEFAULT 'open', priority text, source text, category text
);
CREATE TABLE tasks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    title text NOT NULL, description text, status text NOT NULL DEFAULT 'open', priority text,
    assigned_to uuid REFERENCES profiles (id), due_date date
);

CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := coalesce(nullif(current_setting('fleet.now', true), '')::timestamptz, now());
    RETURN NEW;
END
$$;
CREATE TRIGGER handle_updated_at BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

DO $$
DECLARE
    v_table text;
BEGIN
    FOREACH v_table IN ARRAY ARRAY['tenants', 'profiles', 'clients', 'contacts', 'orders', 'deals', 'cases', 'tasks'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        -- On Supabase itself service_role passes by every policy.
        EXECUTE format('CREATE POLICY service ON %I TO service_role USING (true) WITH CHECK (true)', v_table);
    END LOOP;
END
$$;
CREATE POLICY "members read their deals" ON deals FOR SELECT TO authenticated
    USING (tenant_id = (SELECT p.tenant_id FROM profiles AS p WHERE p.id = auth.uid()));
CREATE POLICY "who am I" ON profiles FOR SELECT TO authenticated USING (id = auth.uid());

INSERT INTO auth.users VALUES ('00000000-0000-0000-0000-000000000011', 'olive@northwind.example');
INSERT INTO tenants (id, name) VALUES ('00000000-0000-0000-0000-000000000001', 'Northwind');
INSERT INTO profiles (id, tenant_id, email, role)
    VALUES ('00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000001', 'olive@northwind.example', 'sales');
INSERT INTO clients (id, tenant_id, company_name)
    VALUES ('00000000-0000-0000-0000-000000000021', '00000000-0000-0000-0000-000000000001', 'Acme');
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
    VALUES ('00000000-0000-0000-0000-000000000031', '00000000-0000-0000-0000-000000000001',
            '00000000-0000-0000-0000-000000000021', 'Ann', 'ann@acme.example', true);
INSERT INTO orders (tenant_id, client_id, order_number, status, delivered_at)
    VALUES ('00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000021', 'O-1', 'delivered', now() - interval '9 days');
INSERT INTO deals (tenant_id, client_id, title, stage, created_at, updated_at)
    SELECT '00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000021', stage || ' ' || silent, stage,
           timestamptz '2026-03-02 09:00+00' - interval '300 days', timestamptz '2026-03-02 09:00+00' - silent * interval '1 day'
    FROM unnest(ARRAY['lead', 'negotiation', 'won']) AS stage, unnest(ARRAY[2, 5, 100]) AS silent;
INSERT INTO tasks (tenant_id, title) VALUES ('00000000-0000-0000-0000-000000000001', 'Call Ann');
