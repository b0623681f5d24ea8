-- What an answer is placed by. Each statement runs on its own and can be repeated.

-- Of the body: another mail may come under a Message-ID that was used before. NULL: taken in by an earlier release.
ALTER TABLE inbound_messages ADD COLUMN IF NOT EXISTS digest text;

-- own: the tenant's own people wrote it. unplaced: an answer that nobody can be sure of, so a person decides.
ALTER TABLE inbound_messages
    DROP CONSTRAINT IF EXISTS inbound_messages_kind_check,
    ADD CONSTRAINT inbound_messages_kind_check CHECK (kind IN
        ('reply', 'message', 'own', 'unplaced', 'auto_reply', 'out_of_office', 'bounce', 'bulk')) NOT VALID;
ALTER TABLE inbound_messages VALIDATE CONSTRAINT inbound_messages_kind_check;

-- By its subject and its recipient an answer is known whose Message-IDs a relay replaced.
ALTER TABLE scheduled_actions ADD COLUMN IF NOT EXISTS sent_subject text;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_sent_to ON scheduled_actions
    (tenant_id, (regexp_replace(lower(sent_to), '^([^+@]+)\+[^@]*@', '\1@')), sent_at)
    WHERE kind = 'email' AND status = 'sent';
