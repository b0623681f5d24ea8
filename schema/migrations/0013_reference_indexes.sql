-- Each statement runs on its own. Deleting a contact, client, deal, case or profile looks for what refers to it: by an
-- index, or the CRM waits while whole tables are read.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_contact ON quotes (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_deal ON quotes (deal_id) WHERE deal_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_client ON feedback_requests (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_contact_id ON feedback_requests (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_case ON feedback_requests (case_created_id) WHERE case_created_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_enrichment_contact ON contact_enrichment_queue (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_enrichment_merged ON contact_enrichment_queue (merged_to_contact_id) WHERE merged_to_contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_signals_contact ON opportunity_signals (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_escalated ON compliance_checks (escalated_to) WHERE escalated_to IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_client ON inbound_messages (client_id) WHERE client_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_merge_contact ON merge_decisions (contact_id) WHERE contact_id IS NOT NULL;
