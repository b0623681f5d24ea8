INSERT INTO profiles (id, tenant_id, email, full_name, role)
SELECT r.id, r.tenant_id, r.email, r.full_name, r.role
FROM jsonb_to_recordset(%(records)s) AS r (id uuid, tenant_id uuid, email text, full_name text, role text)
ON CONFLICT DO NOTHING
RETURNING id
