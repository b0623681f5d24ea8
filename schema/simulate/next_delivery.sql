-- The next instant, not before now, at which a pass of delivery has something to do; NULL: never, as things are. All that waits
-- is read once: to look up the first of each tenant and kind would pass what has left by now as often, which one transaction
-- cannot clear away.
-- stuck: the last pass did nothing. What is due all the same is held back by a quota, until the eldest message of the last 24
-- hours no longer counts.
SELECT min(x.at) AS at FROM (
    SELECT CASE WHEN w.is_mail THEN sending_opens_at(w.tenant_id, o.at) ELSE o.at END AS at
    FROM (
        SELECT a.tenant_id, a.kind = 'email' AS is_mail, min(a.run_at) AS run_at FROM scheduled_actions AS a
        WHERE a.status = 'scheduled'
          AND NOT EXISTS (SELECT FROM operator_stops AS o
                          WHERE a.kind = 'email' AND o.tenant_id = a.tenant_id AND o.engine = a.engine)
        GROUP BY 1, 2
    ) AS w
    CROSS JOIN LATERAL (SELECT CASE WHEN w.is_mail THEN 'messages' ELSE 'tasks' END AS quota) AS q
    LEFT JOIN LATERAL (
        SELECT s.sent_at + interval '24 hours' AS at FROM scheduled_actions AS s
        WHERE s.tenant_id = w.tenant_id AND (s.kind = 'email') = w.is_mail AND s.status = 'sent'
        ORDER BY s.sent_at DESC OFFSET greatest(tenant_quota(w.tenant_id, q.quota) - 1, 0) LIMIT 1
    ) AS room ON %(stuck)s AND quota_left(w.tenant_id, q.quota) = 0
    CROSS JOIN LATERAL (SELECT greatest(fleet_now(), w.run_at, room.at) AS at) AS o
    WHERE NOT w.is_mail
       OR NOT is_stopped(w.tenant_id, NULL)
          AND NOT EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = w.tenant_id AND y.paused)
    UNION ALL
    SELECT min(a.created_at + make_interval(days => coalesce(y.suggestion_days, 14))) FROM scheduled_actions AS a
    LEFT JOIN tenant_delivery AS y ON y.tenant_id = a.tenant_id
    WHERE a.status = 'suggested' AND a.kind = 'email'
) AS x
