-- What separates tenants from each other and the operator from tenants: references that cannot cross, stops that only
-- the operator sets and lifts, bounds on what one tenant can make the fleet do.

-- References between the fleet's own tables carry the tenant. Unique keys lead with it: a key that crosses tenants
-- would tell one of the other's rows.
ALTER TABLE quotes ADD UNIQUE (tenant_id, id);
ALTER TABLE contact_enrichment_queue ADD UNIQUE (tenant_id, id);
ALTER TABLE compliance_schedule ADD UNIQUE (tenant_id, id);

ALTER TABLE quote_activities
    DROP CONSTRAINT quote_activities_quote_id_fkey,
    ADD FOREIGN KEY (tenant_id, quote_id) REFERENCES quotes (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE quote_outcomes
    DROP CONSTRAINT quote_outcomes_quote_id_fkey,
    ADD FOREIGN KEY (tenant_id, quote_id) REFERENCES quotes (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE merge_decisions
    DROP CONSTRAINT merge_decisions_queue_id_fkey,
    DROP CONSTRAINT merge_decisions_queue_id_field_key,
    ADD UNIQUE (tenant_id, queue_id, field),
    ADD FOREIGN KEY (tenant_id, queue_id) REFERENCES contact_enrichment_queue (tenant_id, id) ON DELETE CASCADE;
ALTER TABLE compliance_checks
    DROP CONSTRAINT compliance_checks_schedule_id_fkey,
    ADD FOREIGN KEY (tenant_id, schedule_id) REFERENCES compliance_schedule (tenant_id, id) ON DELETE SET NULL (schedule_id);

-- The operator's word against a tenant's wish: while a row is here, the engine (NULL: every engine and all mail) rests.
CREATE TABLE operator_stops (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine     text REFERENCES engines (name),
    reason     text NOT NULL CHECK (btrim(reason) <> ''),
    stopped_by text NOT NULL,
    stopped_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (tenant_id, engine)
);

-- Items that the host, or their own content, does not let an engine take its step with: tried again a day later, and
-- listed until they succeed.
CREATE TABLE items_aside (
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    engine    text NOT NULL REFERENCES engines (name),
    item_id   uuid NOT NULL,
    error     text NOT NULL,
    aside_at  timestamptz NOT NULL,
    PRIMARY KEY (item_id, engine, tenant_id)
);

-- What one tenant may make the fleet do in 24 hours, where the operator allows more or less than everybody has.
CREATE TABLE tenant_quotas (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    messages   integer CHECK (messages >= 0),     -- e-mails sent
    recipients integer CHECK (recipients >= 0),   -- of these, to addresses never written to before
    tasks      integer CHECK (tasks >= 0),        -- tasks and cases filed
    rows       integer CHECK (rows >= 0),         -- rows that its users add to a queue of the engines
    mails      integer CHECK (mails >= 0)         -- mails of one sender that are acted on
);
CREATE INDEX idx_inbound_sender ON inbound_messages (tenant_id, from_address, received_at);
ALTER TABLE scheduled_actions ADD COLUMN new_recipient boolean;
CREATE INDEX idx_actions_sent ON scheduled_actions (tenant_id, (kind = 'email'), sent_at) WHERE status = 'sent';

-- A schedule that is due in 1926, or never, is a slip of the pen.
ALTER TABLE compliance_schedule ADD CONSTRAINT compliance_schedule_next_due_at_check
    CHECK (next_due_at BETWEEN '2000-01-01 00:00:00+00' AND '2199-12-31 00:00:00+00') NOT VALID;

-- The longest address there is has 320 characters (RFC 3696, erratum 1690, without its brackets).
ALTER TABLE suppressions ADD CONSTRAINT suppressions_address_length CHECK (length(address) <= 320) NOT VALID;
ALTER TABLE tenant_delivery ADD CONSTRAINT tenant_delivery_from_length
    CHECK (length(from_address) <= 320 AND length(from_name) <= 200) NOT VALID;
ALTER TABLE contact_enrichment_queue ADD CONSTRAINT contact_enrichment_queue_address_length
    CHECK (length(email_address) <= 320) NOT VALID;

DROP FUNCTION IF EXISTS list_tenants();  -- it tells of the stops too now, and a function's columns cannot be replaced
