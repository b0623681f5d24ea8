-- A CRM that fits, in as few words as one can have: varchars, an enum, domains, names of its own for keys.
CREATE DOMAIN mailbox AS varchar(320) CHECK (VALUE LIKE '%@%');
CREATE TYPE deal_stage AS ENUM ('lead', 'proposal', 'closed_won', 'closed_lost');
CREATE TYPE order_status AS ENUM ('new', 'shipped', 'delivered', 'cancelled');
CREATE TABLE tenants (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name varchar(80) NOT NULL);
CREATE TABLE profiles (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    email varchar(320), full_name varchar(80), role varchar(20)
);
CREATE TABLE clients (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    company_name varchar(80), owner_id uuid
);
CREATE TABLE contacts (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), client_id uuid,
    first_name varchar(80), last_name varchar(80), email mailbox, title varchar(80), is_primary boolean
);
CREATE TABLE orders (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, client_id uuid, contact_id uuid,
    order_number varchar(20), status order_status NOT NULL DEFAULT 'new', delivered_at timestamptz
);
CREATE TABLE deals (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, client_id uuid, contact_id uuid, owner_id uuid,
    title varchar(80), stage deal_stage NOT NULL DEFAULT 'lead', value double precision, created_at timestamptz, updated_at timestamptz
);
CREATE TABLE cases (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, order_id uuid, title varchar(200),
    status varchar(20) NOT NULL DEFAULT 'open'
);
CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL, title varchar(200), done boolean NOT NULL DEFAULT false);
CREATE TABLE migration_history (id serial PRIMARY KEY, migration_name text NOT NULL, applied_at timestamp DEFAULT now());
INSERT INTO migration_history (migration_name) VALUES ('0001_the_crm');
