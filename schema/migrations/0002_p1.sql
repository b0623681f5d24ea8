-- P1: ten tables and five columns on deals.

-- A CRM may have a column of that name already: it stays the CRM's, and a rollback leaves it alone.
INSERT INTO fleet_core_additions
SELECT 'deals', p.name
FROM unnest(ARRAY['last_activity_at', 'stalled_at', 'auto_follow_up_enabled', 'next_follow_up_at', 'follow_up_count']) AS p (name)
WHERE NOT EXISTS (SELECT FROM pg_attribute AS a
                  WHERE a.attrelid = 'public.deals'::regclass AND a.attname = p.name AND NOT a.attisdropped);

ALTER TABLE deals
    ADD COLUMN IF NOT EXISTS last_activity_at       timestamptz,
    ADD COLUMN IF NOT EXISTS stalled_at             timestamptz,
    ADD COLUMN IF NOT EXISTS auto_follow_up_enabled boolean NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS next_follow_up_at      timestamptz,
    ADD COLUMN IF NOT EXISTS follow_up_count        integer NOT NULL DEFAULT 0;

CREATE TABLE feedback_requests (
    id                         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id                  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    order_id                   uuid NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    client_id                  uuid REFERENCES clients (id) ON DELETE CASCADE,
    contact_id                 uuid REFERENCES contacts (id) ON DELETE SET NULL,
    status                     text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'sent', 'responded', 'expired', 'skipped')),
    delivery_date              timestamptz NOT NULL,
    scheduled_for              timestamptz NOT NULL,
    sent_at                    timestamptz,
    responded_at               timestamptz,
    expires_at                 timestamptz,
    has_open_case              boolean NOT NULL DEFAULT false,
    skip_reason                text,
    response_email_id          uuid,
    sentiment                  text CHECK (sentiment IN ('positive', 'neutral', 'negative')),
    sentiment_score            numeric(3, 2) CHECK (sentiment_score BETWEEN -1 AND 1),
    response_summary           text,
    case_created_id            uuid REFERENCES cases (id) ON DELETE SET NULL,
    service_recovery_triggered boolean NOT NULL DEFAULT false,
    created_at                 timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, order_id)
);

CREATE TABLE deal_stage_history (
    id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id              uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    deal_id                uuid NOT NULL REFERENCES deals (id) ON DELETE CASCADE,
    from_stage             text,
    to_stage               text NOT NULL,
    changed_at             timestamptz NOT NULL DEFAULT now(),
    changed_by             uuid,
    reason                 text,
    days_in_previous_stage integer
);

CREATE TABLE deal_stage_config (
    id                      uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id               uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    stage                   text NOT NULL,
    max_days_before_stale   integer NOT NULL DEFAULT 7 CHECK (max_days_before_stale BETWEEN 1 AND 3650),
    follow_up_interval_days integer NOT NULL DEFAULT 3 CHECK (follow_up_interval_days BETWEEN 1 AND 3650),
    max_follow_ups          integer NOT NULL DEFAULT 5 CHECK (max_follow_ups BETWEEN 0 AND 100),
    created_at              timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, stage)
);

CREATE TABLE quotes (
    id                 uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id          uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    client_id          uuid REFERENCES clients (id) ON DELETE CASCADE,
    contact_id         uuid REFERENCES contacts (id) ON DELETE SET NULL,
    deal_id            uuid REFERENCES deals (id) ON DELETE SET NULL,
    quote_number       text NOT NULL,
    title              text,
    description        text,
    status             text NOT NULL DEFAULT 'draft' CHECK (status IN
        ('draft', 'pending_approval', 'sent', 'viewed', 'accepted', 'rejected', 'expired', 'countered')),
    total_amount       numeric(12, 2) NOT NULL DEFAULT 0,
    line_items         jsonb NOT NULL DEFAULT '[]',
    valid_until        date,
    sent_at            timestamptz,
    viewed_at          timestamptz,
    responded_at       timestamptz,
    view_count         integer NOT NULL DEFAULT 0,
    outcome            text CHECK (outcome IN ('won', 'lost', 'no_decision')),
    outcome_reason     text,
    outcome_competitor text,
    outcome_notes      text,
    intel              jsonb NOT NULL DEFAULT '{}',
    last_follow_up_at  timestamptz,
    follow_up_count    integer NOT NULL DEFAULT 0,
    next_follow_up_at  timestamptz,
    max_follow_ups     integer NOT NULL DEFAULT 5 CHECK (max_follow_ups BETWEEN 0 AND 100),
    created_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, quote_number)
);

CREATE TABLE quote_activities (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id     uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    quote_id      uuid NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    activity_type text NOT NULL,       -- created, sent, viewed, follow_up, response, outcome, expired, …
    notes         text,
    metadata      jsonb NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE quote_outcomes (
    id                uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id         uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    quote_id          uuid NOT NULL REFERENCES quotes (id) ON DELETE CASCADE,
    outcome           text NOT NULL CHECK (outcome IN ('won', 'lost', 'no_decision')),
    primary_reason    text,
    secondary_reasons text[] NOT NULL DEFAULT '{}',
    competitor        text,
    our_amount        numeric(12, 2),
    competitor_amount numeric(12, 2),
    learnings         jsonb NOT NULL DEFAULT '{}',
    recorded_at       timestamptz NOT NULL DEFAULT now(),
    recorded_by       uuid,
    UNIQUE (quote_id, tenant_id)
);

CREATE TABLE contact_enrichment_queue (
    id                   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id            uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    contact_id           uuid REFERENCES contacts (id) ON DELETE CASCADE,
    email_address        text,
    source               text NOT NULL CHECK (source IN ('email_signature', 'apollo', 'manual', 'web_search')),
    source_id            text,
    status               text NOT NULL DEFAULT 'pending'
        CHECK (status IN ('pending', 'processing', 'completed', 'failed', 'skipped')),
    extracted_data       jsonb,
    merged_to_contact_id uuid REFERENCES contacts (id) ON DELETE SET NULL,
    merge_conflicts      jsonb NOT NULL DEFAULT '[]',
    error_message        text,
    claimed_at           timestamptz,
    processed_at         timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now(),
    CHECK (contact_id IS NOT NULL OR email_address IS NOT NULL)
);

CREATE TABLE opportunity_signals (
    id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id       uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    source_type     text NOT NULL CHECK (source_type IN ('email', 'case', 'order', 'deal', 'call')),
    source_id       uuid NOT NULL,
    client_id       uuid REFERENCES clients (id) ON DELETE CASCADE,
    contact_id      uuid REFERENCES contacts (id) ON DELETE SET NULL,
    signal_type     text NOT NULL,
    signal_strength numeric(3, 2) NOT NULL CHECK (signal_strength BETWEEN 0 AND 1),
    extracted_text  text,
    context         jsonb NOT NULL DEFAULT '{}',
    actioned        boolean NOT NULL DEFAULT false,
    actioned_at     timestamptz,
    action_taken    text,
    action_result   text,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, source_type, source_id, signal_type)
);

CREATE TABLE compliance_schedule (
    id                       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id                uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    compliance_type          text NOT NULL,
    description              text,
    frequency                text NOT NULL CHECK (frequency IN ('monthly', 'quarterly', 'semi_annual', 'annual')),
    next_due_at              timestamptz NOT NULL,
    last_completed_at        timestamptz,
    target_entity_type       text NOT NULL CHECK (target_entity_type IN ('client', 'contact', 'vendor')),
    target_filter            jsonb NOT NULL DEFAULT '{}',
    required_fields          text[] NOT NULL DEFAULT '{}',
    notification_days_before integer NOT NULL DEFAULT 14 CHECK (notification_days_before BETWEEN 0 AND 365),
    escalation_days_after    integer NOT NULL DEFAULT 7 CHECK (escalation_days_after BETWEEN 0 AND 365),
    is_active                boolean NOT NULL DEFAULT true,
    created_at               timestamptz NOT NULL DEFAULT now()
);

-- The two intervals are copied from the schedule when a check is made, so that a check whose schedule
-- was deleted still knows when to remind and when to escalate.
CREATE TABLE compliance_checks (
    id                       uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id                uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    schedule_id              uuid REFERENCES compliance_schedule (id) ON DELETE SET NULL,
    compliance_type          text,
    entity_type              text NOT NULL CHECK (entity_type IN ('client', 'contact', 'vendor')),
    entity_id                uuid NOT NULL,
    entity_name              text,
    period_start             date NOT NULL,
    period_end               date NOT NULL,
    due_at                   timestamptz NOT NULL,
    status                   text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'in_progress', 'awaiting_response', 'completed', 'overdue', 'escalated', 'waived')),
    required_fields          text[] NOT NULL DEFAULT '{}',
    missing_fields           text[] NOT NULL DEFAULT '{}',
    validation_errors        jsonb NOT NULL DEFAULT '[]',
    notification_days_before integer NOT NULL DEFAULT 14,
    escalation_days_after    integer NOT NULL DEFAULT 7,
    reminder_sent_at         timestamptz,
    reminder_count           integer NOT NULL DEFAULT 0,
    escalation_sent_at       timestamptz,
    escalated_to             uuid REFERENCES profiles (id) ON DELETE SET NULL,
    completed_at             timestamptz,
    completed_by             uuid,
    waived_reason            text,
    notes                    text,
    created_at               timestamptz NOT NULL DEFAULT now(),
    UNIQUE (schedule_id, tenant_id, entity_type, entity_id, period_start),
    CHECK (status <> 'waived' OR nullif(btrim(waived_reason), '') IS NOT NULL)
);
