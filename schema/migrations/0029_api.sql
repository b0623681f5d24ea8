-- Programs that call the API: their tokens, kept as SHA-256, and the answers that a repeated request gets again.

CREATE TABLE api_tokens (
    id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),  -- the subject of the claims under which it acts
    token_hash bytea NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    tenant_id  uuid REFERENCES tenants (id) ON DELETE CASCADE,
    name       text NOT NULL CHECK (btrim(name) <> ''),
    role       text NOT NULL CHECK (role IN ('reader', 'agent', 'manager', 'operator')),
    per_minute integer NOT NULL CHECK (per_minute BETWEEN 1 AND 100000),
    made_by    text NOT NULL,
    made_at    timestamptz NOT NULL,
    ends_at    timestamptz,                                 -- NULL: when it is revoked
    revoked_at timestamptz,
    seen_at    timestamptz,
    counted_at timestamptz,                                 -- when the minute began whose calls are counted
    calls      integer NOT NULL DEFAULT 0,
    CHECK ((tenant_id IS NULL) = (role = 'operator'))
);
CREATE INDEX idx_api_tokens_tenant ON api_tokens (tenant_id) WHERE tenant_id IS NOT NULL;

-- Under an Idempotency-Key, for a day.
CREATE TABLE api_answers (
    caller       uuid NOT NULL,                             -- the subject of the claims: a profile or a token
    key          text NOT NULL,
    tenant_id    uuid REFERENCES tenants (id) ON DELETE CASCADE,
    request_hash bytea NOT NULL,
    status       integer NOT NULL,
    headers      jsonb NOT NULL,
    body         bytea NOT NULL,
    answered_at  timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);
CREATE INDEX idx_api_answers_tenant ON api_answers (tenant_id) WHERE tenant_id IS NOT NULL;
CREATE INDEX idx_api_answers_age ON api_answers (answered_at);
