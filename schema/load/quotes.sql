-- Quotes, and the outcome of those which have one. The first follow-up is planned as sending would plan it.
WITH record AS (
    SELECT * FROM jsonb_to_recordset(%(records)s) AS r (
        id uuid, tenant_id uuid, client_id uuid, contact_id uuid, deal_id uuid, quote_number text, title text,
        description text, status text, total_amount numeric, valid_until date, sent_at timestamptz,
        responded_at timestamptz, created_at timestamptz, outcome text, outcome_reason text, outcome_id uuid)
), inserted AS (
    INSERT INTO quotes (id, tenant_id, client_id, contact_id, deal_id, quote_number, title, description, status,
                        total_amount, valid_until, sent_at, responded_at, created_at, outcome, outcome_reason,
                        next_follow_up_at)
    SELECT r.id, r.tenant_id, r.client_id, r.contact_id, r.deal_id, r.quote_number, r.title, r.description, r.status,
           r.total_amount, r.valid_until, r.sent_at, r.responded_at, coalesce(r.created_at, fleet_now()), r.outcome,
           r.outcome_reason,
           CASE WHEN r.status IN ('sent', 'viewed') AND r.outcome IS NULL THEN r.sent_at + interval '3 days' END
    FROM record AS r
    ON CONFLICT DO NOTHING
    RETURNING id
), outcomes AS (
    INSERT INTO quote_outcomes (id, tenant_id, quote_id, outcome, primary_reason, our_amount, recorded_at)
    SELECT r.outcome_id, r.tenant_id, r.id, r.outcome, r.outcome_reason, r.total_amount,
           coalesce(r.responded_at, fleet_now())
    FROM record AS r JOIN inserted USING (id)
    WHERE r.outcome IS NOT NULL
    ON CONFLICT DO NOTHING
)
SELECT id FROM inserted
