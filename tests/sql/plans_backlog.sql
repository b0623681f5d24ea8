-- After an outage: all that can be due is due.
UPDATE deals SET next_follow_up_at = next_follow_up_at - interval '9 days' WHERE tenant_id = %(tenant)s::uuid AND next_follow_up_at IS NOT NULL;
UPDATE quotes SET next_follow_up_at = next_follow_up_at - interval '9 days' WHERE tenant_id = %(tenant)s::uuid AND next_follow_up_at IS NOT NULL;
UPDATE feedback_requests SET scheduled_for = %(now)s::timestamptz - interval '1 day' WHERE tenant_id = %(tenant)s::uuid AND status = 'pending';
UPDATE contact_enrichment_queue SET status = 'pending' WHERE tenant_id = %(tenant)s::uuid;
UPDATE opportunity_signals SET actioned = false WHERE tenant_id = %(tenant)s::uuid;
UPDATE compliance_checks SET reminder_sent_at = NULL WHERE tenant_id = %(tenant)s::uuid;
UPDATE scheduled_actions SET run_at = %(now)s::timestamptz WHERE tenant_id = %(tenant)s::uuid;
UPDATE quotes SET due_at = quote_due_at(quotes, 'UTC'), follow_up_day = quote_follow_up_day(quotes) WHERE tenant_id = %(tenant)s::uuid;
UPDATE compliance_checks SET next_step_at = compliance_next_step_at(compliance_checks, 'UTC') WHERE tenant_id = %(tenant)s::uuid;
