-- What people decide by hand, and for which engines an address is written to no more.

-- Who decided what, when and why: added to, and never changed.
CREATE TABLE fleet_decisions (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    about      text NOT NULL CHECK (about IN ('action', 'suppression', 'setting')),
    item       text NOT NULL,        -- the action's id, the address, the setting's name
    decision   text NOT NULL,
    before     jsonb,
    after      jsonb,
    why        text,
    decided_by text NOT NULL,
    decided_at timestamptz NOT NULL
);
CREATE INDEX idx_fleet_decisions_item ON fleet_decisions (tenant_id, about, item, id);

ALTER TABLE suppressions
    ADD COLUMN engines  text[] CHECK (engines <> '{}'),    -- NULL: whichever engine it is
    ADD COLUMN added_by text;                              -- NULL: the fleet itself, or the tenant's own people

DROP FUNCTION IF EXISTS decide_actions(bigint[], text);    -- it asks who and why now
DROP FUNCTION IF EXISTS list_actions(text, integer);       -- it takes a filter now
