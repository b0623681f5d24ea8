-- Deals, and the step that closed those which are closed. A deal without any date begins now. The stage is
-- what the CRM keeps it in, an enum perhaps.
WITH record AS (
    SELECT * FROM jsonb_to_recordset(%(records)s) AS r (
        id uuid, tenant_id uuid, client_id uuid, contact_id uuid, owner_id uuid, title text, stage text, value numeric,
        probability integer, expected_close_date date, description text, created_at timestamptz,
        last_activity_at timestamptz, auto_follow_up_enabled boolean, closed_at timestamptz, closed_from_stage text,
        history_id uuid)
), inserted AS (
    INSERT INTO deals (id, tenant_id, client_id, contact_id, owner_id, title, stage, value, probability,
                       expected_close_date, description, created_at, last_activity_at, auto_follow_up_enabled)
    SELECT r.id, r.tenant_id, r.client_id, r.contact_id, r.owner_id, r.title,
           (jsonb_populate_record(NULL::deals, jsonb_build_object('stage', r.stage))).stage, r.value, r.probability,
           r.expected_close_date, r.description, coalesce(r.created_at, fleet_now()),
           coalesce(r.last_activity_at, r.created_at, fleet_now()), r.auto_follow_up_enabled
    FROM record AS r
    ON CONFLICT DO NOTHING
    RETURNING id
), history AS (
    INSERT INTO deal_stage_history (id, tenant_id, deal_id, from_stage, to_stage, changed_at, days_in_previous_stage)
    SELECT r.history_id, r.tenant_id, r.id, r.closed_from_stage, r.stage, r.closed_at,
           CASE WHEN r.created_at IS NOT NULL THEN greatest(0, extract(day FROM r.closed_at - r.created_at)) END
    FROM record AS r JOIN inserted USING (id)
    WHERE r.closed_at IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT id FROM inserted
