DROP INDEX IF EXISTS idx_enrichment_source, idx_enrichment_ready, idx_enrichment_conflicts, idx_signals_strong;
ALTER TABLE IF EXISTS contact_enrichment_queue DROP COLUMN IF EXISTS retry_at;
ALTER TABLE IF EXISTS tenant_delivery DROP COLUMN IF EXISTS phone_region;
DROP TABLE IF EXISTS merge_decisions, provider_limits, provider_usage, imap_folders, inbound_rejects, inbound_messages,
    tenant_mailboxes;
