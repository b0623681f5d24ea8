-- Each deal has a reader of its own. Of several to one mailbox, which goes first and until when the others wait depends on
-- which of them a batch or a claim happens to hold.
INSERT INTO contacts (id, tenant_id, client_id, email)
SELECT d.id, d.tenant_id, d.client_id, d.id || '@reader.example' FROM deals AS d WHERE d.contact_id IS NOT NULL;

-- What the deals of the set became, kept beside them; at first none of them is there.
CREATE TABLE history AS
SELECT d.id, d.tenant_id, d.title, d.value, d.description, d.client_id, c.id AS contact_id, d.owner_id, d.created_at, d.stage,
       h.changed_at AS closed_at
FROM deals AS d
LEFT JOIN contacts AS c ON c.id = d.id
LEFT JOIN deal_stage_history AS h ON h.deal_id = d.id;

DELETE FROM deals;

-- Lets a day begin: somebody enters the deals on which he works since, and closes those that are over.
CREATE FUNCTION begin_day(p_day timestamptz) RETURNS void LANGUAGE sql AS $$
    INSERT INTO deals (id, tenant_id, title, value, description, client_id, contact_id, owner_id, created_at, last_activity_at, stage)
    SELECT h.id, h.tenant_id, h.title, h.value, h.description, h.client_id, h.contact_id, h.owner_id, h.created_at, h.created_at,
           'engaging'
    FROM history AS h
    WHERE h.created_at <= p_day AND (h.closed_at IS NULL OR h.closed_at > p_day)
      AND NOT EXISTS (SELECT FROM deals AS d WHERE d.id = h.id)
    ORDER BY h.created_at, h.id;
    UPDATE deals AS d SET stage = h.stage FROM history AS h WHERE h.id = d.id AND h.closed_at = p_day
$$;
