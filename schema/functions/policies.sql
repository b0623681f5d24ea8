-- Who may see and change what. authenticated: the rows of its own tenant, and nothing without a claim;
-- service_role: the workers. DROP before CREATE, because a policy cannot be replaced.

DO $$
DECLARE
    v_table text;
    v_grants text;
    v_sequence text;
BEGIN
    -- What a tenant's people may do with the own tenant's rows, beside reading them. Settings are theirs. Evidence (what
    -- was asked, answered, decided, sent) they read, and add to where a line says so; what the fleet trusts as its own,
    -- or as a fact about who is who, is written by its functions and by the operator alone.
    FOR v_table, v_grants IN SELECT * FROM (VALUES
        ('deal_stage_config',        'INSERT, UPDATE, DELETE'),
        ('engine_settings',          'INSERT (tenant_id, engine, mode), UPDATE (mode), DELETE'),
        ('tenant_timetable',         'INSERT, UPDATE, DELETE'),
        ('compliance_schedule',      'INSERT, UPDATE, DELETE'),
        ('quotes',                   'INSERT, UPDATE, DELETE'),    -- only drafts are deleted, see below
        ('tenant_calendar',          'INSERT, UPDATE'),
        ('tenant_letters',           'INSERT, UPDATE'),
        ('tenant_delivery',          'INSERT (tenant_id, paused, time_zone, window_start, window_end, send_days, holidays,'
                                     ' mails_per_day, mails_per_week, deal_max_silence_days, phone_region, wrote_since, suggestion_days),'
                                     'UPDATE (paused, time_zone, window_start, window_end, send_days, holidays,'
                                     ' mails_per_day, mails_per_week, deal_max_silence_days, phone_region, wrote_since, suggestion_days)'),
        ('suppressions',             'INSERT (tenant_id, address, reason)'),
        ('feedback_requests',        'UPDATE (scheduled_for, contact_id)'),
        ('quote_activities',         'INSERT (tenant_id, quote_id, activity_type, notes, metadata)'),
        ('compliance_checks',        'INSERT (tenant_id, schedule_id, compliance_type, entity_type, entity_id, entity_name,'
                                     ' period_start, period_end, due_at, required_fields, notification_days_before,'
                                     ' escalation_days_after), UPDATE (notes)'),
        ('contact_enrichment_queue', 'INSERT (tenant_id, contact_id, email_address, source, extracted_data)'),
        ('opportunity_signals',      'INSERT (tenant_id, source_type, source_id, client_id, contact_id, signal_type,'
                                     ' signal_strength, extracted_text, context),'
                                     'UPDATE (actioned, actioned_at, action_taken, action_result)'),
        ('deal_stage_history', NULL), ('quote_outcomes', NULL), ('quote_counters', NULL), ('scheduled_actions', NULL),
        ('tenant_mailboxes', NULL), ('inbound_messages', NULL), ('delivery_failures', NULL), ('provider_usage', NULL),
        ('merge_decisions', NULL), ('operator_stops', NULL), ('tenant_quotas', NULL), ('crm_words', NULL), ('fleet_decisions', NULL),
        ('tenant_templates', NULL), ('forwarded_mail', NULL), ('matter_pauses', NULL), ('webhook_endpoints', NULL), ('webhook_deliveries', NULL)
    ) AS t (name, grants) LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', v_table);
        EXECUTE format('GRANT SELECT%s ON %I TO authenticated', ', ' || v_grants, v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
        -- The subselect makes the tenant one value per statement instead of one call per row.
        EXECUTE format('DROP POLICY IF EXISTS fleet_own_tenant ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_own_tenant ON %I FOR ALL TO authenticated '
                       'USING (tenant_id = (SELECT current_tenant_id())) '
                       'WITH CHECK (tenant_id = (SELECT current_tenant_id()))', v_table);
    END LOOP;

    -- Who decided what is evidence against everybody: nobody changes it, not even the workers.
    REVOKE UPDATE, DELETE ON fleet_decisions FROM service_role;

    -- With a quote that was sent its history would go; people note calls, and the fleet what it does itself.
    DROP POLICY IF EXISTS fleet_only_drafts ON quotes;
    CREATE POLICY fleet_only_drafts ON quotes AS RESTRICTIVE FOR DELETE TO authenticated
        USING (status IN ('draft', 'pending_approval'));
    DROP POLICY IF EXISTS fleet_own_words ON quote_activities;
    CREATE POLICY fleet_own_words ON quote_activities AS RESTRICTIVE FOR INSERT TO authenticated
        WITH CHECK (activity_type NOT IN
            ('created', 'sent', 'viewed', 'follow_up', 'response', 'outcome', 'expired', 'escalated', 'settled'));

    -- The ledger, the registry of engines, how they begin, what belongs to no tenant yet, how far mailboxes are read, and what
    -- signs webhooks, who is at the console, and what programs show and were answered: the workers'.
    FOREACH v_table IN ARRAY ARRAY[
        'engine_runs', 'engines', 'fleet_defaults', 'fleet_timetable', 'channel_rate', 'engine_rates', 'public_holidays', 'items_aside', 'fleet_faults', 'provider_limits', 'inbound_rejects', 'imap_folders',
        'fleet_heartbeats', 'fleet_incidents', 'webhook_secrets', 'console_links', 'console_sessions',
        'console_audit', 'insight_figures', 'api_tokens', 'api_answers'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
    END LOOP;

    -- What was done at the console is evidence too. A tenant's managers may know who did it, and from where.
    REVOKE UPDATE, DELETE ON console_audit FROM service_role;
    GRANT SELECT ON console_audit TO authenticated;
    DROP POLICY IF EXISTS fleet_managers ON console_audit;
    CREATE POLICY fleet_managers ON console_audit FOR SELECT TO authenticated
        USING (tenant_id = (SELECT current_tenant_id()) AND (SELECT caller_is_manager()));

    -- Who may set a sequence can stop whoever counts by it. Identity columns need no right to theirs.
    FOR v_sequence IN
        SELECT s.oid::regclass FROM pg_class AS s
        JOIN pg_depend AS d ON d.objid = s.oid AND d.deptype IN ('a', 'i')
        JOIN pg_class AS t ON t.oid = d.refobjid
        WHERE s.relkind = 'S' AND t.relnamespace = 'public'::regnamespace AND t.relname IN (
            'engine_runs', 'scheduled_actions', 'merge_decisions', 'operator_stops', 'fleet_migration_history', 'fleet_faults',
            'fleet_decisions', 'fleet_incidents', 'webhook_deliveries', 'console_sessions', 'console_audit')
    LOOP
        EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM PUBLIC, anon, authenticated', v_sequence);
    END LOOP;

    -- Which migrations ran is the owner's to write, the workers' to read, and nobody else's business.
    REVOKE ALL ON fleet_schema_version, fleet_migration_history FROM PUBLIC, anon, authenticated;
    IF EXISTS (SELECT FROM pg_views AS v WHERE v.schemaname = 'public' AND v.viewname = 'migration_history'
               AND v.definition LIKE '%fleet_migration_history%') THEN
        REVOKE ALL ON migration_history FROM PUBLIC, anon, authenticated;
    END IF;
    ALTER TABLE fleet_schema_version ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON fleet_schema_version TO service_role;
    DROP POLICY IF EXISTS fleet_workers ON fleet_schema_version;
    CREATE POLICY fleet_workers ON fleet_schema_version FOR SELECT TO service_role USING (true);

    -- CRM tables that were created because they were missing; a CRM that brought its own keeps its policies.
    FOR v_table IN SELECT a.table_name FROM fleet_core_additions AS a WHERE a.column_name = '*' LOOP
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        -- Who belongs where is not for users to write.
        EXECUTE format('GRANT %s ON %I TO authenticated', CASE WHEN v_table IN ('tenants', 'profiles') THEN 'SELECT'
                       ELSE 'SELECT, INSERT, UPDATE, DELETE' END, v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_own_tenant ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_own_tenant ON %I FOR ALL TO authenticated '
                       'USING (%I = (SELECT current_tenant_id())) WITH CHECK (%I = (SELECT current_tenant_id()))',
                       v_table, CASE v_table WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END,
                       CASE v_table WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END);
    END LOOP;

    -- A CRM's own tables: the workers get what they need where it is missing, and a rollback takes it back.
    FOREACH v_table IN ARRAY ARRAY[
        'tenants', 'profiles', 'clients', 'contacts', 'vendors', 'orders', 'deals', 'cases', 'tasks'
    ] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM fleet_core_additions AS a WHERE a.table_name = v_table AND a.column_name = '*');
        FOREACH v_grants IN ARRAY ARRAY['SELECT', 'INSERT', 'UPDATE'] LOOP
            IF NOT has_table_privilege('service_role', v_table, v_grants) THEN
                EXECUTE format('GRANT %s ON %I TO service_role', v_grants, v_table);
                INSERT INTO fleet_core_additions VALUES (v_table, '+grant ' || v_grants) ON CONFLICT DO NOTHING;
            END IF;
        END LOOP;
        IF (SELECT c.relrowsecurity AND NOT r.rolbypassrls FROM pg_class AS c, pg_roles AS r
            WHERE c.oid = v_table::regclass AND r.rolname = 'service_role')
           AND NOT EXISTS (SELECT FROM pg_policies AS p WHERE p.tablename = v_table AND 'service_role' = ANY (p.roles))
        THEN
            EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
            INSERT INTO fleet_core_additions VALUES (v_table, '+policy') ON CONFLICT DO NOTHING;
        END IF;
    END LOOP;

    -- Views look through the caller's own eyes; those of the machinery are for the workers alone.
    FOREACH v_table IN ARRAY ARRAY[
        'deals_in_follow_up', 'deal_stage_limits', 'deal_stage_velocity', 'quote_win_rates', 'quote_win_rates_by_stage', 'quote_competitors',
        'quote_decision_times', 'signal_action_rates', 'outreach_effect', 'compliance_completion_rates', 'compliance_entities', 'enrichment_waiting',
        'deal_moves', 'quote_decisions', 'outreach_sent', 'signals_noticed', 'checks_made', 'quote_win_rates_by_amount',
        'quote_win_rates_by_reason', 'quote_decision_spread'
    ] LOOP
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT ON %I TO service_role', v_table);
        EXECUTE format('GRANT SELECT ON %I TO authenticated', v_table);
    END LOOP;
    -- FOR UPDATE through the view takes the locks of the deals beneath it.
    GRANT SELECT, UPDATE ON deals_in_follow_up TO service_role;
END
$$;
