INSERT INTO clients (id, tenant_id, company_name, owner_id, industry, country, status, attributes)
SELECT r.id, r.tenant_id, r.company_name, r.owner_id, r.industry, r.country, r.status, coalesce(r.attributes, '{}')
FROM jsonb_to_recordset(%(records)s) AS r (
    id uuid, tenant_id uuid, company_name text, owner_id uuid, industry text, country text, status text, attributes jsonb)
ON CONFLICT DO NOTHING
RETURNING id
