-- What thousands of tenants were sent, and filed, until two days ago.
INSERT INTO scheduled_actions (tenant_id, engine, kind, template, subject_type, subject_id, recipient, run_at, sent_at, status, dedupe_key)
    SELECT t.id, 'deals', CASE WHEN i %% 5 = 0 THEN 'task' ELSE 'email' END, 'deal_follow_up', 'none', gen_random_uuid(), 'a@acme.example',
           d.day, d.day, 'sent', 'sent' || i
    FROM generate_series(1, %(n)s) AS i
    CROSS JOIN LATERAL (SELECT %(now)s::timestamptz - interval '2 days' - i * interval '1 minute' AS day) AS d
    JOIN (SELECT x.id, row_number() OVER () AS n, count(*) OVER () AS tenants FROM tenants AS x) AS t ON t.n = i %% t.tenants + 1;
