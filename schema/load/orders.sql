-- Orders; the delivered ones queue their feedback request by trigger. The status is what the CRM keeps it in, an enum perhaps.
INSERT INTO orders (id, tenant_id, client_id, contact_id, order_number, status, delivered_at, created_at)
SELECT r.id, r.tenant_id, r.client_id, r.contact_id, r.order_number,
       (jsonb_populate_record(NULL::orders, jsonb_build_object('status', r.status))).status, r.delivered_at,
       coalesce(r.created_at, r.delivered_at, fleet_now())
FROM jsonb_to_recordset(%(records)s) AS r (
    id uuid, tenant_id uuid, client_id uuid, contact_id uuid, order_number text, status text, delivered_at timestamptz,
    created_at timestamptz)
ON CONFLICT DO NOTHING
RETURNING id
