-- Who may see and change what. authenticated: the rows of its own tenant, and nothing without a claim;
-- service_role: the workers. DROP before CREATE, because a policy cannot be replaced.

DO $$
DECLARE
    v_table text;
BEGIN
    -- Tables of P1, and how a tenant wants to be served: the tenant's own people read and write them.
    FOREACH v_table IN ARRAY ARRAY[
        'feedback_requests', 'deal_stage_history', 'deal_stage_config', 'quotes', 'quote_activities', 'quote_outcomes',
        'contact_enrichment_queue', 'opportunity_signals', 'compliance_schedule', 'compliance_checks',
        'engine_settings', 'tenant_delivery', 'suppressions', 'quote_counters', 'scheduled_actions', 'engine_runs',
        'tenant_mailboxes', 'inbound_messages', 'provider_usage', 'provider_limits', 'merge_decisions'
    ] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
        IF v_table NOT IN ('engine_runs', 'provider_limits') THEN
            -- The subselect makes the tenant one value per statement instead of one call per row.
            EXECUTE format('DROP POLICY IF EXISTS fleet_own_tenant ON %I', v_table);
            EXECUTE format('CREATE POLICY fleet_own_tenant ON %I FOR ALL TO authenticated '
                           'USING (tenant_id = (SELECT current_tenant_id())) '
                           'WITH CHECK (tenant_id = (SELECT current_tenant_id()))', v_table);
        END IF;
        -- The outbox is written by engines and decided by operators; nobody resets the own tenant's spending.
        IF v_table IN ('scheduled_actions', 'provider_usage') THEN
            EXECUTE format('GRANT SELECT ON %I TO authenticated', v_table);
        ELSIF v_table NOT IN ('engine_runs', 'provider_limits') THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO authenticated', v_table);
        END IF;
    END LOOP;

    -- The registry of engines, what belongs to no tenant yet, and how far mailboxes are read: the workers' alone.
    FOREACH v_table IN ARRAY ARRAY['engines', 'inbound_rejects', 'imap_folders'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', v_table);
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO service_role', v_table);
        EXECUTE format('DROP POLICY IF EXISTS fleet_workers ON %I', v_table);
        EXECUTE format('CREATE POLICY fleet_workers ON %I FOR ALL TO service_role USING (true) WITH CHECK (true)', v_table);
    END LOOP;

    -- Which migrations ran is the owner's to write, the workers' to read, and nobody else's business.
    REVOKE ALL ON fleet_schema_version, migration_history FROM PUBLIC, anon, authenticated;
    ALTER TABLE fleet_schema_version ENABLE ROW LEVEL SECURITY;
    GRANT SELECT ON fleet_schema_version TO service_role;
    DROP POLICY IF EXISTS fleet_workers ON fleet_schema_version;
    CREATE POLICY fleet_workers ON fleet_schema_version FOR SELECT TO service_role USING (true);

    -- CRM tables that were created because they were missing; a CRM that brought its own keeps its policies.
    FOR v_table IN SELECT a.table_name FROM fleet_core_additions AS a WHERE a.column_name = '*' LOOP
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
        IF NOT (has_table_privilege('service_role', v_table, 'SELECT') AND has_table_privilege('service_role', v_table, 'INSERT')
                AND has_table_privilege('service_role', v_table, 'UPDATE')) THEN
            EXECUTE format('GRANT SELECT, INSERT, UPDATE ON %I TO service_role', v_table);
            INSERT INTO fleet_core_additions VALUES (v_table, '+grant') ON CONFLICT DO NOTHING;
        END IF;
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
        'deals_in_follow_up', 'deal_stage_velocity', 'quote_win_rates', 'quote_win_rates_by_stage', 'quote_competitors',
        'quote_decision_times', 'signal_action_rates', 'compliance_completion_rates', 'compliance_entities', 'enrichment_waiting'
    ] LOOP
        EXECUTE format('REVOKE ALL ON %I FROM PUBLIC, anon, authenticated', v_table);
        EXECUTE format('GRANT SELECT ON %I TO service_role', v_table);
        EXECUTE format('GRANT SELECT ON %I TO authenticated', v_table);
    END LOOP;
    -- FOR UPDATE through the view takes the locks of the deals beneath it.
    GRANT SELECT, UPDATE ON deals_in_follow_up TO service_role;
END
$$;
