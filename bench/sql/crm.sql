-- A CRM as it is before the fleet comes: its own tables, keys, indexes, and a trigger that keeps updated_at.
CREATE TABLE tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text);
CREATE TABLE profiles (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), email text, role text);
CREATE TABLE clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), company_name text, owner_id uuid
);
CREATE TABLE contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id) ON DELETE CASCADE, first_name text, last_name text, email text, is_primary boolean
);
CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id) ON DELETE CASCADE, contact_id uuid REFERENCES contacts (id) ON DELETE SET NULL,
    order_number text, status text NOT NULL DEFAULT 'new', delivered_at timestamptz, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE deals (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    client_id uuid REFERENCES clients (id) ON DELETE CASCADE, contact_id uuid REFERENCES contacts (id) ON DELETE SET NULL,
    owner_id uuid, title text, stage text NOT NULL DEFAULT 'lead', value numeric, description text,
    created_at timestamptz NOT NULL DEFAULT now(), updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE cases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    order_id uuid REFERENCES orders (id) ON DELETE CASCADE, title text, status text NOT NULL DEFAULT 'open'
);
CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), title text);
CREATE INDEX ON contacts (client_id);
CREATE INDEX ON contacts (tenant_id);
CREATE INDEX ON orders (client_id);
CREATE INDEX ON orders (contact_id);
CREATE INDEX ON orders (tenant_id, status);
CREATE INDEX ON deals (client_id);
CREATE INDEX ON deals (contact_id);
CREATE INDEX ON deals (tenant_id, stage);
CREATE INDEX ON cases (order_id);
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at := now(); RETURN NEW; END';
CREATE TRIGGER handle_updated_at BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION touch_updated_at();
CREATE TRIGGER handle_updated_at BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch_updated_at();

-- {rows} rows in each table, and a client for ten of them.
INSERT INTO tenants (id, name) SELECT md5('tenant' || t)::uuid, 'Tenant ' || t FROM generate_series(1, 20) AS t;
INSERT INTO clients (id, tenant_id, company_name)
SELECT md5('client' || n)::uuid, md5('tenant' || 1 + n % 20)::uuid, 'Company ' || n FROM generate_series(1, {rows} / 10) AS n;
INSERT INTO contacts (id, tenant_id, client_id, first_name, email, is_primary)
SELECT md5('contact' || n)::uuid, md5('tenant' || 1 + n % 20)::uuid, md5('client' || 1 + n % ({rows} / 10))::uuid, 'Ann',
       'ann' || n || '@acme.example', n % 2 = 0 FROM generate_series(1, {rows}) AS n;
INSERT INTO deals (id, tenant_id, client_id, contact_id, title, stage)
SELECT md5('deal' || n)::uuid, md5('tenant' || 1 + n % 20)::uuid, md5('client' || 1 + n % ({rows} / 10))::uuid,
       md5('contact' || n)::uuid, 'Deal ' || n, (ARRAY['lead', 'proposal', 'won'])[1 + n % 3] FROM generate_series(1, {rows}) AS n;
INSERT INTO orders (id, tenant_id, client_id, contact_id, order_number, status)
SELECT md5('order' || n)::uuid, md5('tenant' || 1 + n % 20)::uuid, md5('client' || 1 + n % ({rows} / 10))::uuid,
       md5('contact' || n)::uuid, 'O-' || n, 'new' FROM generate_series(1, {rows}) AS n;
VACUUM ANALYZE;
