-- Until when somebody (a mailbox) is sent nothing, or nothing about a deal, quote, order or check: a person said so.

CREATE TABLE matter_pauses (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    mailbox    text,
    subject_id uuid,
    until      timestamptz NOT NULL,
    why        text,
    paused_by  text NOT NULL,
    paused_at  timestamptz NOT NULL,
    CHECK ((mailbox IS NULL) <> (subject_id IS NULL)),
    UNIQUE NULLS NOT DISTINCT (tenant_id, mailbox, subject_id)
);
CREATE INDEX idx_matter_pauses_subject ON matter_pauses (tenant_id, subject_id) WHERE subject_id IS NOT NULL;
