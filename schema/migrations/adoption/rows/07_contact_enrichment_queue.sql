INSERT INTO contact_enrichment_queue (id, tenant_id, contact_id, email_address, source, source_id, status, extracted_data,
                                      merged_to_contact_id, merge_conflicts, error_message, claimed_at, processed_at, created_at)
SELECT p.id, t.id, c.id, p.email_address, lower(p.source), p.source_id, lower(p.status), p.extracted_data,
       m.id, coalesce(p.merge_conflicts, '[]'), p.error_message, p.claimed_at, p.processed_at, coalesce(p.created_at, now())
FROM fleet_adopted.contact_enrichment_queue AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::contact_enrichment_queue, to_jsonb(a)) AS p
JOIN tenants AS t ON t.id = p.tenant_id
LEFT JOIN contacts AS c ON c.id = p.contact_id AND c.tenant_id = p.tenant_id
LEFT JOIN contacts AS m ON m.id = p.merged_to_contact_id AND m.tenant_id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
