INSERT INTO deal_stage_config (id, tenant_id, stage, max_days_before_stale, follow_up_interval_days, max_follow_ups, created_at)
SELECT p.id, t.id, p.stage, coalesce(p.max_days_before_stale, 7), coalesce(p.follow_up_interval_days, 3), coalesce(p.max_follow_ups, 5),
       coalesce(p.created_at, now())
FROM fleet_adopted.deal_stage_config AS a
CROSS JOIN LATERAL jsonb_populate_record(NULL::deal_stage_config, to_jsonb(a)) AS p
JOIN tenants AS t ON t.id = p.tenant_id
WHERE a.id = ANY (%(ids)s)
ON CONFLICT DO NOTHING
