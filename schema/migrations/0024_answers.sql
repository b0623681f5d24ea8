-- What a tenant says about answers: whose mail counts as one, and who gets the mail itself; and how long a suggestion waits.
ALTER TABLE tenant_delivery
    ADD COLUMN suggestion_days smallint NOT NULL DEFAULT 14 CHECK (suggestion_days BETWEEN 1 AND 365),
    ADD COLUMN wrote_since text NOT NULL DEFAULT 'client' CHECK (wrote_since IN ('contact', 'client')),
    ADD COLUMN forward_replies_to text CHECK (forward_replies_to ~ '^(owner|[^<>@\s,;]+@[^<>@\s,;]+)$');

-- text_version: which text it was made of. sent_hash: SHA-256 of what was kept of it. guards: what they said and when,
-- the last time of each code; passed: nothing spoke against it, and it went to be sent.
ALTER TABLE scheduled_actions
    ADD COLUMN text_version text,
    ADD COLUMN sent_hash text,
    ADD COLUMN guards jsonb;

-- One kind more than before: no row that is there can be wrong, so none is read.
ALTER TABLE scheduled_actions DROP CONSTRAINT scheduled_actions_kind_check;
ALTER TABLE scheduled_actions ADD CONSTRAINT scheduled_actions_kind_check
    CHECK (kind IN ('email', 'task', 'case', 'forward')) NOT VALID;

-- A mail as it came, until it has been forwarded.
CREATE TABLE forwarded_mail (
    action_id bigint PRIMARY KEY REFERENCES scheduled_actions (id) ON DELETE CASCADE,
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    raw       bytea NOT NULL
);
ALTER TABLE forwarded_mail ALTER COLUMN raw SET STORAGE EXTERNAL;
CREATE INDEX idx_forwarded_tenant ON forwarded_mail (tenant_id);

-- They tell more now, and what a function returns cannot be replaced.
DROP FUNCTION IF EXISTS list_actions(jsonb, integer), letter_facts(bigint[]),
    file_answer_task(text, inbound_messages, scheduled_actions, jsonb);
