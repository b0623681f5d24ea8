-- is_primary NULL: the file does not say. Then the first contact with an address speaks for its client,
-- unless the client has one who does.
WITH record AS (
    SELECT r.*, row_number() OVER (PARTITION BY r.client_id, r.email IS NOT NULL ORDER BY r.ordinal) AS place
    FROM ROWS FROM (jsonb_to_recordset(%(records)s) AS (
        id uuid, tenant_id uuid, client_id uuid, first_name text, last_name text, email text, title text, phone text,
        mobile text, linkedin_url text, is_primary boolean, attributes jsonb)) WITH ORDINALITY
        AS r (id, tenant_id, client_id, first_name, last_name, email, title, phone, mobile, linkedin_url,
              is_primary, attributes, ordinal)
)
INSERT INTO contacts (id, tenant_id, client_id, first_name, last_name, email, title, phone, mobile, linkedin_url,
                      is_primary, attributes)
SELECT r.id, r.tenant_id, r.client_id, r.first_name, r.last_name, r.email, r.title, r.phone, r.mobile, r.linkedin_url,
       coalesce(r.is_primary, r.place = 1 AND r.client_id IS NOT NULL AND r.email IS NOT NULL AND NOT EXISTS (
           SELECT FROM contacts AS c WHERE c.client_id = r.client_id AND c.is_primary AND c.email IS NOT NULL)),
       coalesce(r.attributes, '{}')
FROM record AS r
ON CONFLICT DO NOTHING
RETURNING id
