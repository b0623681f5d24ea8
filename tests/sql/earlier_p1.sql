-- P1 as somebody ran it before the fleet: ten tables, five columns on deals, functions, triggers, views. Beside supabase.sql.
ALTER TABLE deals
    ADD COLUMN last_activity_at timestamptz DEFAULT now(), ADD COLUMN stalled_at timestamptz,
    ADD COLUMN auto_follow_up_enabled boolean DEFAULT true, ADD COLUMN next_follow_up_at timestamptz,
    ADD COLUMN follow_up_count integer DEFAULT 0;
CREATE INDEX idx_deals_follow_up ON deals (tenant_id, next_follow_up_at) WHERE auto_follow_up_enabled;
CREATE INDEX idx_deals_stall_detection ON deals (tenant_id, stage, last_activity_at);
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TABLE feedback_requests (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    order_id uuid NOT NULL REFERENCES orders (id), client_id uuid REFERENCES clients (id), contact_id uuid REFERENCES contacts (id),
    status varchar(20) NOT NULL DEFAULT 'pending', delivery_date date NOT NULL, scheduled_for timestamptz NOT NULL, sent_at timestamptz,
    responded_at timestamptz, expires_at timestamptz, has_open_case boolean DEFAULT false, skip_reason text, response_email_id text,
    sentiment varchar(20), sentiment_score numeric(3, 2), response_summary text, case_created_id uuid,
    service_recovery_triggered boolean DEFAULT false, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    UNIQUE (tenant_id, order_id)
);
CREATE TABLE deal_stage_history (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    deal_id uuid NOT NULL REFERENCES deals (id) ON DELETE CASCADE, from_stage varchar(50), to_stage varchar(50) NOT NULL,
    changed_at timestamptz DEFAULT now(), changed_by uuid, reason text, days_in_previous_stage numeric
);
CREATE TABLE deal_stage_config (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), stage varchar(50) NOT NULL,
    max_days_before_stale integer DEFAULT 7, follow_up_interval_days integer DEFAULT 3, max_follow_ups integer DEFAULT 5,
    UNIQUE (tenant_id, stage)
);
CREATE TABLE quotes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), client_id uuid REFERENCES clients (id),
    contact_id uuid, deal_id uuid REFERENCES deals (id), quote_number varchar(50) NOT NULL, title text NOT NULL, description text,
    status varchar(20) NOT NULL DEFAULT 'draft' CHECK (status <> ''), total_amount numeric(12, 2), line_items jsonb DEFAULT '[]',
    valid_until date, sent_at timestamptz, viewed_at timestamptz, responded_at timestamptz, view_count integer DEFAULT 0,
    outcome varchar(20), outcome_reason text, outcome_competitor text, outcome_notes text, intel jsonb DEFAULT '{}',
    last_follow_up_at timestamptz, follow_up_count integer DEFAULT 0, next_follow_up_at timestamptz, max_follow_ups integer DEFAULT 5,
    currency char(3) NOT NULL DEFAULT 'EUR', created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(),
    UNIQUE (tenant_id, quote_number)
);
CREATE TABLE quote_activities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), quote_id uuid NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    activity_type varchar(50) NOT NULL, notes text, metadata jsonb, created_at timestamptz DEFAULT now()
);
CREATE TABLE quote_outcomes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), quote_id uuid REFERENCES quotes (id),
    outcome varchar(20) NOT NULL, primary_reason text, secondary_reasons text[], competitor text, our_amount numeric(12, 2),
    competitor_amount numeric(12, 2), learnings jsonb, recorded_at timestamptz DEFAULT now(), recorded_by uuid
);
CREATE TABLE contact_enrichment_queue (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), contact_id uuid REFERENCES contacts (id),
    email_address varchar(255), source varchar(50) NOT NULL, source_id varchar(100), status varchar(20) DEFAULT 'pending',
    extracted_data jsonb, merged_to_contact_id uuid, merge_conflicts jsonb, error_message text, processed_at timestamptz,
    created_at timestamptz DEFAULT now()
);
CREATE TABLE opportunity_signals (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), source_type varchar(20) NOT NULL,
    source_id varchar(80) NOT NULL, client_id uuid REFERENCES clients (id), contact_id uuid, signal_type varchar(50) NOT NULL,
    signal_strength numeric(3, 2), extracted_text text, context jsonb, actioned boolean DEFAULT false, actioned_at timestamptz,
    action_taken text, action_result text, created_at timestamptz DEFAULT now()
);
CREATE TABLE compliance_schedule (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id), compliance_type varchar(100) NOT NULL,
    description text, frequency varchar(20) NOT NULL, next_due_at timestamptz NOT NULL, last_completed_at timestamptz,
    target_entity_type varchar(20) NOT NULL, target_filter jsonb, required_fields jsonb DEFAULT '[]', notification_days_before integer DEFAULT 14,
    escalation_days_after integer DEFAULT 7, is_active boolean DEFAULT true, created_at timestamptz DEFAULT now()
);
CREATE TABLE compliance_checks (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(), tenant_id uuid NOT NULL REFERENCES tenants (id),
    schedule_id uuid REFERENCES compliance_schedule (id), entity_type varchar(20) NOT NULL, entity_id uuid NOT NULL, entity_name text,
    period_start date, period_end date, due_at timestamptz NOT NULL, status varchar(20) DEFAULT 'pending', required_fields jsonb,
    missing_fields jsonb, validation_errors jsonb, reminder_sent_at timestamptz, reminder_count integer DEFAULT 0,
    escalation_sent_at timestamptz, escalated_to uuid, completed_at timestamptz, completed_by uuid, waived_reason text, notes text
);
CREATE INDEX idx_quotes_status ON quotes (tenant_id, status);
CREATE INDEX idx_feedback_pending ON feedback_requests (tenant_id, scheduled_for) WHERE status = 'pending';
CREATE TABLE noted (what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO noted VALUES (TG_OP || ' ' || NEW.currency); RETURN NULL; END $$;
CREATE TRIGGER quote_touched BEFORE UPDATE ON quotes FOR EACH ROW EXECUTE FUNCTION touch();
CREATE TRIGGER quote_noted AFTER INSERT ON quotes FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE quotes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON quotes FOR ALL TO authenticated USING (tenant_id IN (SELECT p.tenant_id FROM profiles AS p WHERE p.id = auth.uid()));
COMMENT ON TABLE quotes IS 'P1';
CREATE PUBLICATION changes FOR TABLE quotes, deals;

CREATE FUNCTION log_deal_stage_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO deal_stage_history (tenant_id, deal_id, from_stage, to_stage) VALUES (NEW.tenant_id, NEW.id, OLD.stage, NEW.stage);
    RETURN NEW;
END $$;
CREATE FUNCTION update_deal_last_activity() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.last_activity_at := now(); NEW.stalled_at := NULL; RETURN NEW; END $$;
CREATE TRIGGER deal_stage_change AFTER UPDATE OF stage ON deals FOR EACH ROW WHEN (OLD.stage IS DISTINCT FROM NEW.stage)
    EXECUTE FUNCTION log_deal_stage_change();
CREATE TRIGGER deal_activity_update BEFORE UPDATE ON deals FOR EACH ROW WHEN (OLD.stage IS DISTINCT FROM NEW.stage)
    EXECUTE FUNCTION update_deal_last_activity();
COMMENT ON TRIGGER deal_activity_update ON deals IS 'real activity';
ALTER TABLE deals DISABLE TRIGGER deal_activity_update;
CREATE FUNCTION get_stalled_deals(p_tenant_id uuid, p_limit integer DEFAULT 20) RETURNS TABLE (deal_id uuid) LANGUAGE sql STABLE
    AS 'SELECT id FROM deals WHERE tenant_id = p_tenant_id LIMIT p_limit';
CREATE FUNCTION get_quotes_needing_followup(p_tenant_id uuid, p_limit integer DEFAULT 20) RETURNS SETOF quotes LANGUAGE sql STABLE
    AS 'SELECT * FROM quotes WHERE tenant_id = p_tenant_id LIMIT p_limit';
CREATE FUNCTION generate_quote_number(p_tenant_id uuid) RETURNS text LANGUAGE sql AS
    $$SELECT 'Q-2026-' || lpad((count(*) + 1)::text, 4, '0') FROM quotes WHERE tenant_id = p_tenant_id$$;
CREATE FUNCTION seed_default_deal_stages(p_tenant_id uuid) RETURNS void LANGUAGE sql AS
    'INSERT INTO deal_stage_config (tenant_id, stage) VALUES (p_tenant_id, ''lead'') ON CONFLICT DO NOTHING';
CREATE FUNCTION calculate_signal_strength(p_type text, p_context jsonb DEFAULT '{}') RETURNS numeric LANGUAGE sql AS 'SELECT 0.5';
CREATE VIEW quote_win_rates AS
    SELECT tenant_id, count(*) AS total_quotes, count(*) FILTER (WHERE outcome = 'won') AS won_count,
           count(*) FILTER (WHERE outcome = 'lost') AS lost_count, 0::numeric AS win_rate_pct FROM quotes GROUP BY tenant_id;
