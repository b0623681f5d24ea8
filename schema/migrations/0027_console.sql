-- Who signs in to the console, and what is done there. Tokens are kept as SHA-256: who reads these rows cannot be anybody.

-- Links that sign somebody in, once. Whose: a profile of a tenant, or (operator) whoever runs the fleet.
CREATE TABLE console_links (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    profile_id uuid,                                        -- no reference: profiles are the CRM's own table
    operator   text,
    made_at    timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    used_at    timestamptz,
    CHECK ((profile_id IS NULL) <> (operator IS NULL))
);

CREATE TABLE console_sessions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    profile_id uuid,
    operator   text,
    tenant_id  uuid REFERENCES tenants (id) ON DELETE SET NULL,    -- which one an operator looks at; NULL: all
    origin     text,                                        -- the network address it began from
    began_at   timestamptz NOT NULL,
    seen_at    timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,                        -- at the latest
    revoked_at timestamptz,
    CHECK ((profile_id IS NULL) <> (operator IS NULL))
);
CREATE INDEX idx_console_sessions_tenant ON console_sessions (tenant_id) WHERE tenant_id IS NOT NULL;

-- Who did what, when and from where, beside fleet_decisions, which keeps what a decision changed.
CREATE TABLE console_audit (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    tenant_id  uuid REFERENCES tenants (id) ON DELETE CASCADE,
    session_id bigint,
    who        text NOT NULL,
    what       text NOT NULL,
    item       text,
    origin     text
);
CREATE INDEX idx_console_audit_what ON console_audit (what, at);
CREATE INDEX idx_console_audit_tenant ON console_audit (tenant_id, what, item) WHERE tenant_id IS NOT NULL;
