DROP INDEX idx_enrichment_source;
DROP TABLE merge_decisions, provider_usage, imap_folders, inbound_rejects, inbound_messages, tenant_mailboxes;
