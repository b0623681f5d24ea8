-- The sender of a mail is found by address, case and plus-tag folded as workers.insight.addresses folds them.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_contacts_folded ON contacts
    (tenant_id, (regexp_replace(lower(email), '^([^+@]+)\+[^@]*@', '\1@')));
