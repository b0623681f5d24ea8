-- What the deals of the set became, kept beside them; at first none of them is there. The set knows days; nobody enters two
-- deals in one instant, and of two that were, the one whose row comes first would be followed up first.
CREATE TABLE history AS
SELECT d.id, d.tenant_id, d.title, d.value, d.description, d.client_id, d.contact_id, d.owner_id, d.stage, h.changed_at AS closed_at,
       d.created_at + interval '1 second' * row_number() OVER (PARTITION BY d.created_at ORDER BY d.id) AS entered_at
FROM deals AS d
LEFT JOIN deal_stage_history AS h ON h.deal_id = d.id;

DELETE FROM deals;

-- Lets a day begin: somebody enters the deals on which he works since, and closes those that are over.
CREATE FUNCTION begin_day(p_day timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO deals (id, tenant_id, title, value, description, client_id, contact_id, owner_id, created_at, last_activity_at, stage)
    SELECT h.id, h.tenant_id, h.title, h.value, h.description, h.client_id, h.contact_id, h.owner_id, h.entered_at, h.entered_at,
           'engaging'
    FROM history AS h
    WHERE h.entered_at < p_day + interval '1 day' AND (h.closed_at IS NULL OR h.closed_at > p_day)
      AND NOT EXISTS (SELECT FROM deals AS d WHERE d.id = h.id)
    ORDER BY h.entered_at;
    UPDATE deals AS d SET stage = h.stage FROM history AS h WHERE h.id = d.id AND h.closed_at = p_day
$$;
