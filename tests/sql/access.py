"""Who may do what, object by object: what is not written here fails the test that walks the catalogue."""

# What a tenant's user may do beside reading the own rows: whole rows, or (column, …) of them.
SETTINGS = "INSERT UPDATE DELETE"
USERS = {
    "deal_stage_config": SETTINGS,
    "engine_settings": "INSERT(engine mode tenant_id) UPDATE(mode) DELETE",
    "tenant_timetable": SETTINGS,
    "compliance_schedule": SETTINGS,
    "quotes": SETTINGS,
    "tenant_calendar": "INSERT|UPDATE",
    "tenant_letters": "INSERT|UPDATE",
    "tenant_delivery": "INSERT(deal_max_silence_days holidays mails_per_day mails_per_week paused phone_region"
    " send_days suggestion_days tenant_id time_zone window_end window_start wrote_since)"
    " UPDATE(deal_max_silence_days holidays mails_per_day mails_per_week paused phone_region send_days suggestion_days"
    " time_zone window_end window_start wrote_since)",
    "suppressions": "INSERT(address reason tenant_id)",
    "feedback_requests": "UPDATE(contact_id scheduled_for)",
    "quote_activities": "INSERT(activity_type metadata notes quote_id tenant_id)",
    "compliance_checks": "INSERT(compliance_type due_at entity_id entity_name entity_type escalation_days_after"
    " notification_days_before period_end period_start required_fields schedule_id tenant_id) UPDATE(notes)",
    "contact_enrichment_queue": "INSERT(contact_id email_address extracted_data source tenant_id)",
    "opportunity_signals": "INSERT(client_id contact_id context extracted_text signal_strength signal_type source_id"
    " source_type tenant_id) UPDATE(action_result action_taken actioned actioned_at)",
    # Evidence, and what the fleet trusts as its own or as a fact about who is who: to be read.
    **dict.fromkeys(
        (
            "deal_stage_history",
            "quote_outcomes",
            "quote_counters",
            "scheduled_actions",
            "tenant_mailboxes",
            "inbound_messages",
            "delivery_failures",
            "provider_usage",
            "merge_decisions",
            "operator_stops",
            "crm_words",
            "tenant_quotas",
            "tenant_templates",
            "fleet_decisions",
            "webhook_endpoints",
            "webhook_deliveries",
            "forwarded_mail",
            "matter_pauses",
            "console_audit",
        ),
        "",
    ),
    # The CRM's own, where the fleet made them.
    "tenants": "",
    "profiles": "",
    **dict.fromkeys(("clients", "contacts", "vendors", "orders", "deals", "cases", "tasks"), SETTINGS),
}
# Views show what their tables show.
VIEWS = {
    "deals_in_follow_up", "deal_stage_limits",
    "deal_stage_velocity", "quote_win_rates", "quote_win_rates_by_stage", "quote_competitors",
    "quote_decision_times", "signal_action_rates", "outreach_effect", "compliance_completion_rates",
    "compliance_entities", "enrichment_waiting", "deal_moves", "quote_decisions", "outreach_sent", "signals_noticed",
    "checks_made", "quote_win_rates_by_amount", "quote_win_rates_by_reason", "quote_decision_spread",
}  # fmt: skip
# The machinery: nobody but the workers, or the owner alone.
CLOSED = {
    "engine_runs", "engines", "items_aside", "items_resting", "provider_limits", "inbound_rejects", "imap_folders",
    "fleet_schema_version", "fleet_core_additions", "fleet_migration_history", "migration_history",
    "fleet_faults", "fleet_defaults", "fleet_heartbeats", "fleet_incidents", "public_holidays", "webhook_secrets",
    "console_links", "console_sessions", "insight_figures", "fleet_timetable", "channel_rate", "engine_rates",
    "api_tokens", "api_answers",
}  # fmt: skip
# What a user may call; the rest is for the workers.
FUNCTIONS = {
    "fleet_now", "claimed_user", "current_tenant_id", "may_act_for", "compliance_months", "compliance_date_after",
    "create_compliance_checks", "tenant_zone", "tenant_today", "days_later",
    "advance_compliance_schedule", "create_compliance_checks_from_schedule", "waive_compliance_check", "folded_word",
    "shipped_meaning", "is_closed_stage", "crm_instant", "word_meaning", "is_gone", "says_it_is_gone", "is_over",
    "says_it_is_over",
    "generate_quote_number", "send_quote", "record_quote_view", "record_quote_outcome", "calculate_signal_strength",
    "first_stalled_deals", "get_stalled_deals", "get_quotes_needing_followup", "get_compliance_due", "get_feedback_due",
    "get_pending_enrichment", "get_unactioned_signals",
    "console_actions", "console_action_count", "console_action_history", "console_chosen", "console_preview",
    "console_decide", "console_edit", "console_today", "console_answers", "console_settle_answer", "console_waiting",
    "console_conflicts", "console_decide_conflict", "console_found", "console_explained", "console_runs",
    "console_settings", "console_set_settings", "console_setting_history", "console_suppressions", "console_suppress",
    "console_unsuppress", "console_words", "console_set_word",
    "console_templates", "console_template_versions", "console_template_sample", "console_save_template",
    "console_compliance_overview", "console_compliance", "console_check", "console_decide_check",
    "console_compliance_list",
    "analytics_since", "analytics_until", "likely_share_pct", "stage_places", "console_figures", "console_what_if",
    "console_neighbours", "console_replies", "console_snooze", "console_pause", "console_set_pause",
    "console_write_now",
    "console_people_of", "console_revoke_session", "console_webhooks", "console_webhook_events",
    "console_add_webhook", "console_set_webhook", "console_trail", "console_trail_kinds",
    "console_tokens", "console_make_token", "console_revoke_token",
    "complete_compliance_check", "answer_compliance_check",
    "calling_user", "caller_is_manager", "api_runs", "api_suppressions", "follow_up_quote_now", "move_feedback_request",
}  # fmt: skip
# What also somebody without a tenant may call: they tell nothing.
FUNCTIONS_FOR_ANYONE = {"fleet_now", "claimed_user", "current_tenant_id"}
# PostgreSQL asks whoever writes a deal for the right to the functions of its indexes.
FUNCTIONS_OF_INDEXES = {"folded_word", "shipped_meaning", "is_closed_stage", "crm_instant"}
