DROP INDEX idx_enrichment_source, idx_enrichment_ready, idx_enrichment_conflicts, idx_signals_strong;
ALTER TABLE contact_enrichment_queue DROP COLUMN retry_at;
ALTER TABLE tenant_delivery DROP COLUMN phone_region;
DROP TABLE merge_decisions, provider_limits, provider_usage, imap_folders, inbound_rejects, inbound_messages,
    tenant_mailboxes;
