-- They go with the fleet's own tables, or by themselves when only this step is taken back.
DROP INDEX IF EXISTS idx_quotes_contact, idx_quotes_deal, idx_feedback_client, idx_feedback_contact_id, idx_feedback_case,
    idx_enrichment_contact, idx_enrichment_merged, idx_signals_contact, idx_compliance_escalated,
    idx_inbound_client, idx_merge_contact;
