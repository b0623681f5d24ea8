-- Webhooks: whom a tenant wants told of what happens, and what waits to be told.

CREATE TABLE webhook_endpoints (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    url        text NOT NULL CHECK (url LIKE 'https://%' AND length(url) <= 2000),
    events     text[] NOT NULL CHECK (events <> '{}'),
    active     boolean NOT NULL DEFAULT true,
    note       text,                           -- why it is off
    failures   integer NOT NULL DEFAULT 0,     -- in a row
    retry_at   timestamptz,                    -- the circuit is open: nothing is tried before then
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (tenant_id, url)
);

-- What signs the events of an endpoint: a table of its own, which users cannot read.
CREATE TABLE webhook_secrets (
    endpoint_id uuid PRIMARY KEY REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    secret      text NOT NULL CHECK (secret LIKE 'whsec\_%')
);

-- One row for each event and endpoint. run_at: when it is next tried, or its sender's lease ends.
CREATE TABLE webhook_deliveries (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   uuid NOT NULL,
    endpoint_id uuid NOT NULL REFERENCES webhook_endpoints (id) ON DELETE CASCADE,
    event       text NOT NULL,
    dedupe_key  text NOT NULL,
    data        jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    run_at      timestamptz NOT NULL,
    give_up_at  timestamptz NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'dead')),
    attempts    integer NOT NULL DEFAULT 0,
    lease_owner text,
    last_error  text,
    settled_at  timestamptz,
    UNIQUE (endpoint_id, dedupe_key)
);
CREATE INDEX idx_webhooks_due ON webhook_deliveries (endpoint_id, run_at, id) WHERE status = 'pending';
CREATE INDEX idx_webhooks_age ON webhook_deliveries (status, give_up_at);
