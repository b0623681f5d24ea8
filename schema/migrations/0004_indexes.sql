-- Each statement runs on its own, outside a transaction: CONCURRENTLY keeps a busy CRM writable.
-- The three of deals are built by 0026, by what a stage means: a stage need not be a text.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_contacts_primary ON contacts (client_id)
    WHERE is_primary AND email IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_contacts_address ON contacts (tenant_id, lower(email));
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_cases_order ON cases (order_id) WHERE order_id IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_pending ON feedback_requests (tenant_id, scheduled_for)
    WHERE status = 'pending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_sent ON feedback_requests (tenant_id, expires_at)
    WHERE status = 'sent';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_due ON feedback_requests (due_at, tenant_id)
    WHERE due_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_order ON feedback_requests (order_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_feedback_contact ON feedback_requests (contact_id, sent_at)
    WHERE sent_at IS NOT NULL;

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deal_history ON deal_stage_history (deal_id, changed_at DESC);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_deal_history_tenant ON deal_stage_history (tenant_id, changed_at);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_status ON quotes (tenant_id, status);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_client ON quotes (client_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_followup ON quotes
    (tenant_id, follow_up_day, total_amount DESC, created_at)
    INCLUDE (id, next_follow_up_at, follow_up_count, max_follow_ups, valid_until) WHERE follow_up_day IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_tenant_due ON quotes (tenant_id, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quotes_due ON quotes (due_at, tenant_id) WHERE due_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quote_activities ON quote_activities (quote_id, created_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_quote_outcomes_analysis ON quote_outcomes (tenant_id, recorded_at, outcome);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_enrichment_pending ON contact_enrichment_queue (tenant_id, created_at)
    WHERE status = 'pending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_enrichment_processing ON contact_enrichment_queue ((coalesce(claimed_at, created_at)))
    WHERE status = 'processing';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_enrichment_email ON contact_enrichment_queue (tenant_id, lower(email_address));

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_signals_unactioned ON opportunity_signals
    (tenant_id, signal_strength DESC, created_at) WHERE NOT actioned;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_signals_client ON opportunity_signals (client_id, created_at);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_schedule_due ON compliance_schedule (notify_at, tenant_id)
    WHERE is_active;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_due ON compliance_checks (tenant_id, next_step_at)
    WHERE next_step_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_step ON compliance_checks (next_step_at, tenant_id)
    WHERE next_step_at IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_entity ON compliance_checks (entity_type, entity_id);

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_due ON scheduled_actions (kind, tenant_id, run_at, id)
    WHERE status = 'scheduled';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_lease ON scheduled_actions (lease_until) WHERE status = 'sending';
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_subject ON scheduled_actions (subject_id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_attention ON scheduled_actions (tenant_id, status)
    WHERE status IN ('suggested', 'failed', 'dead');
