-- What could not be delivered and why, whether a mail server said so at once or by a bounce.

CREATE TABLE delivery_failures (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id          uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    address            text NOT NULL CHECK (address = lower(btrim(address))),
    action_id          bigint REFERENCES scheduled_actions (id) ON DELETE SET NULL,
    inbound_message_id uuid REFERENCES inbound_messages (id) ON DELETE SET NULL,  -- the bounce; NULL: said while sending
    whose              text NOT NULL CHECK (whose IN ('address', 'sender', 'message', 'moment')),
    cause              text NOT NULL,
    status             text,
    said               text,
    failed_at          timestamptz NOT NULL
);
CREATE INDEX idx_delivery_failures_address ON delivery_failures (tenant_id, address, failed_at);
CREATE INDEX idx_delivery_failures_action ON delivery_failures (action_id) WHERE action_id IS NOT NULL;
CREATE INDEX idx_delivery_failures_message ON delivery_failures (inbound_message_id) WHERE inbound_message_id IS NOT NULL;

-- One kind more than before: no row that is there can be wrong, so none is read.
ALTER TABLE inbound_messages DROP CONSTRAINT inbound_messages_kind_check;
ALTER TABLE inbound_messages ADD CONSTRAINT inbound_messages_kind_check
    CHECK (kind IN
        ('reply', 'message', 'own', 'unplaced', 'auto_reply', 'out_of_office', 'bounce', 'complaint', 'bulk')) NOT VALID;
