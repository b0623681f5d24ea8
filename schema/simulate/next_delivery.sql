-- The next instant, not before now, at which a pass of delivery has something to do; NULL: never, as things are.
-- stuck: the last pass did nothing. What is due all the same is held back by a quota, until the eldest message of the last 24
-- hours no longer counts.
SELECT min(x.at) AS at FROM (
    SELECT sending_opens_at(w.tenant_id, greatest(fleet_now(), due.run_at, room.at)) AS at
    FROM tenants_with_actions('email') AS w (tenant_id)
    CROSS JOIN LATERAL (
        SELECT a.run_at FROM scheduled_actions AS a
        WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.tenant_id = w.tenant_id
          AND NOT EXISTS (SELECT FROM operator_stops AS o WHERE o.tenant_id = w.tenant_id AND o.engine = a.engine)
        ORDER BY a.run_at LIMIT 1
    ) AS due
    LEFT JOIN LATERAL (
        SELECT s.sent_at + interval '24 hours' AS at FROM scheduled_actions AS s
        WHERE %(stuck)s AND s.tenant_id = w.tenant_id AND (s.kind = 'email') = true AND s.status = 'sent'
        ORDER BY s.sent_at DESC OFFSET greatest(tenant_quota(w.tenant_id, 'messages') - 1, 0) LIMIT 1
    ) AS room ON quota_left(w.tenant_id, 'messages') = 0
    WHERE NOT is_stopped(w.tenant_id, NULL)
      AND NOT EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = w.tenant_id AND y.paused)
    UNION ALL
    SELECT greatest(fleet_now(), due.run_at, room.at)
    FROM unnest(ARRAY['task', 'case', 'forward']) AS k (kind)
    CROSS JOIN LATERAL tenants_with_actions(k.kind) AS w (tenant_id)
    CROSS JOIN LATERAL (
        SELECT a.run_at FROM scheduled_actions AS a
        WHERE a.status = 'scheduled' AND a.kind = k.kind AND a.tenant_id = w.tenant_id
        ORDER BY a.run_at LIMIT 1
    ) AS due
    LEFT JOIN LATERAL (
        SELECT s.sent_at + interval '24 hours' AS at FROM scheduled_actions AS s
        WHERE %(stuck)s AND s.tenant_id = w.tenant_id AND (s.kind = 'email') = false AND s.status = 'sent'
        ORDER BY s.sent_at DESC OFFSET greatest(tenant_quota(w.tenant_id, 'tasks') - 1, 0) LIMIT 1
    ) AS room ON quota_left(w.tenant_id, 'tasks') = 0
    UNION ALL
    SELECT min(a.created_at + make_interval(days => coalesce(y.suggestion_days, 14))) FROM scheduled_actions AS a
    LEFT JOIN tenant_delivery AS y ON y.tenant_id = a.tenant_id
    WHERE a.status = 'suggested' AND a.kind = 'email'
) AS x
