-- Where the operator limits it: how many workers are at work for a tenant at a time, and how many due items of an engine
-- are worked for it in a minute. Else as FLEET_CONCURRENCY and FLEET_PER_MINUTE say.
ALTER TABLE tenant_quotas
    ADD COLUMN IF NOT EXISTS workers integer CHECK (workers > 0),
    ADD COLUMN IF NOT EXISTS items   integer CHECK (items > 0);

CREATE TABLE IF NOT EXISTS engine_rates (
    tenant_id   uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine      text NOT NULL REFERENCES engines (name),
    spent_until timestamptz NOT NULL,    -- as if each item took its share of a minute
    PRIMARY KEY (tenant_id, engine)
);
