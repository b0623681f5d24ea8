-- Tenants, and how the mail of those leaves who say so.
WITH record AS (
    SELECT * FROM jsonb_to_recordset(%(records)s)
        AS r (id uuid, name text, time_zone text, from_name text, from_address text, paused boolean)
), inserted AS (
    INSERT INTO tenants (id, name) SELECT r.id, r.name FROM record AS r
    ON CONFLICT DO NOTHING
    RETURNING id
), delivery AS (
    INSERT INTO tenant_delivery (tenant_id, paused, time_zone, from_name, from_address)
    SELECT r.id, r.paused, r.time_zone, r.from_name, r.from_address
    FROM record AS r JOIN inserted USING (id)
    WHERE r.paused OR num_nonnulls(r.time_zone, r.from_name, r.from_address) > 0
)
SELECT id FROM inserted
