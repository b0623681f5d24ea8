-- How the fleet watches itself: heartbeats, what is wrong with its work, and incidents.

-- Notes that a pass was made. By the database's own clock, which all workers share.
CREATE OR REPLACE FUNCTION note_heartbeat(p_name text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO fleet_heartbeats AS h (name, at) VALUES (p_name, clock_timestamp())
    ON CONFLICT (name) DO UPDATE SET at = excluded.at
$$;

-- What of the outbox and of inbound mail stands still, in one row; counts end at 1,001, so that a look stays cheap.
-- filed_late: tasks and cases that should have been filed a quarter of an hour ago, which know no hours and no caps
-- held_back: e-mails that the channel kept back at no cost of an attempt, because it is down or the sender is refused, and
-- why; what one mailbox's server refuses for now is that mailbox's business
-- given_up: messages of the last week that nobody took in all their attempts
-- aside: items that a CRM refuses
CREATE OR REPLACE FUNCTION watch_work() RETURNS TABLE (
    filed_late bigint, filed_late_since timestamptz, held_back bigint, held_back_for text, given_up bigint, aside bigint,
    unread bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT late.n, late.since, held.n, held.said, dead.n, rest.n, unread.n
    FROM (SELECT count(*) AS n, min(x.run_at) AS since FROM (
              SELECT a.run_at FROM (VALUES ('task'), ('case')) AS k (kind)
              CROSS JOIN LATERAL (
                  SELECT s.run_at FROM scheduled_actions AS s
                  WHERE s.status = 'scheduled' AND s.kind = k.kind AND s.run_at < fleet_now() - interval '15 minutes'
                    AND NOT is_stopped(s.tenant_id, s.engine)
                  LIMIT 1001) AS a) AS x) AS late
    CROSS JOIN (SELECT count(*) AS n, max(x.last_error) AS said FROM (
              SELECT a.last_error FROM scheduled_actions AS a
              WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.last_error IS NOT NULL AND a.attempts = 0
              LIMIT 1001) AS x) AS held
    CROSS JOIN (SELECT count(*) AS n FROM (
              SELECT FROM scheduled_actions AS a
              WHERE a.status = 'dead' AND a.run_at > fleet_now() - interval '7 days' LIMIT 1001) AS x) AS dead
    CROSS JOIN (SELECT count(*) AS n FROM (SELECT FROM items_aside LIMIT 1001) AS x) AS rest
    CROSS JOIN (SELECT count(*) AS n FROM (
              SELECT FROM inbound_messages AS m
              WHERE m.processed_at IS NULL AND m.kind IN ('reply', 'message') AND m.received_at < fleet_now() - interval '3 hours'
              LIMIT 1001) AS x) AS unread
$$;

-- Which slots were given up within the last hour, because nobody had begun them: how many of each engine, from and to when.
CREATE OR REPLACE FUNCTION watch_missed() RETURNS TABLE (engine text, n bigint, first timestamptz, last timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.engine, count(*), min(r.slot), max(r.slot) FROM engine_runs AS r
    WHERE r.status = 'missed' AND r.finished_at > fleet_now() - interval '1 hour' GROUP BY r.engine ORDER BY r.engine
$$;

-- Takes what a look found into account. What is seen for the first time is noted, what is seen again is an incident, and
-- what is no longer seen is over. p_findings: [{"key", "what", "why", "mend"}].
CREATE OR REPLACE FUNCTION note_findings(p_findings jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH found AS (
        SELECT f.* FROM jsonb_to_recordset(p_findings) AS f (key text, what text, why text, mend text)
    ), closed AS (
        UPDATE fleet_incidents AS i SET closed_at = clock_timestamp()
        WHERE i.closed_at IS NULL AND NOT EXISTS (SELECT FROM found AS f WHERE f.key = i.key)
    )
    INSERT INTO fleet_incidents AS i (key, what, why, mend, noted_at)
    SELECT f.key, f.what, f.why, f.mend, clock_timestamp() FROM found AS f
    ON CONFLICT (key) WHERE closed_at IS NULL DO UPDATE SET
        what = excluded.what, mend = excluded.mend, opened_at = coalesce(i.opened_at, clock_timestamp())
$$;

-- Incidents of which an alert is due: opened and not told, or told and over since. What was over before it was an incident
-- is told to nobody. Two workers never tell the same one.
CREATE OR REPLACE FUNCTION untold_incidents() RETURNS SETOF fleet_incidents
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    SELECT i.* FROM fleet_incidents AS i
    WHERE i.told IS DISTINCT FROM 'closed' AND i.opened_at IS NOT NULL
      AND (i.closed_at IS NULL) = (i.told IS NULL)
    ORDER BY i.id
    FOR NO KEY UPDATE SKIP LOCKED
$$;

-- What is wrong right now, the longest first.
CREATE OR REPLACE FUNCTION open_incidents() RETURNS SETOF fleet_incidents
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT i.* FROM fleet_incidents AS i WHERE i.closed_at IS NULL AND i.opened_at IS NOT NULL ORDER BY i.opened_at, i.id
$$;

-- What a look at the database itself finds: who waits for somebody's lock for longer than p_lock, whose transaction is
-- older than p_transaction, where dead rows pile up that autovacuum has not come to, and whether few connections are left.
CREATE OR REPLACE FUNCTION watch_database(p_lock interval, p_transaction interval) RETURNS TABLE (key text, subject text, n bigint, detail text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT 'lock', b.pid::text, extract(epoch FROM clock_timestamp() - a.query_start)::bigint, left(b.query, 200)
    FROM pg_stat_activity AS a
    CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS p (pid)
    JOIN pg_stat_activity AS b ON b.pid = p.pid
    WHERE a.datname = current_database() AND a.wait_event_type = 'Lock' AND a.query_start < clock_timestamp() - p_lock
    UNION ALL
    SELECT 'transaction', a.pid::text, extract(epoch FROM clock_timestamp() - a.xact_start)::bigint, left(a.query, 200)
    FROM pg_stat_activity AS a
    WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND a.xact_start < clock_timestamp() - p_transaction
    UNION ALL
    SELECT 'vacuum', s.relname, s.n_dead_tup, s.n_live_tup::text
    FROM pg_stat_user_tables AS s
    WHERE s.schemaname = 'public' AND s.n_dead_tup > 100000 AND s.n_dead_tup > s.n_live_tup / 2
    UNION ALL
    SELECT 'connections', NULL, count(*), current_setting('max_connections')
    FROM pg_stat_activity AS a
    HAVING count(*) > 0.9 * current_setting('max_connections')::integer
$$;

-- What a monitoring system reads: figures by name, with one label each. Those about tenants are of the twenty with the
-- most due. Counts of what happened are of the last day, so that each is a range of an index.
CREATE OR REPLACE FUNCTION watch_figures() RETURNS TABLE (name text, engine text, label text, value double precision)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_engine text;
BEGIN
    FOR v_engine IN SELECT e.name FROM engines AS e ORDER BY e.name LOOP
        RETURN QUERY EXECUTE format(
            'WITH counted AS MATERIALIZED (SELECT c.tenant_id, c.n FROM %I() AS c'
            ' WHERE action_status(c.tenant_id, $1) IS NOT NULL)'
            ' SELECT ''due'', $1, NULL::text, coalesce(sum(c.n), 0)::double precision FROM counted AS c'
            ' UNION ALL (SELECT ''tenant_due'', $1, c.tenant_id::text, c.n::double precision FROM counted AS c'
            ' ORDER BY c.n DESC, c.tenant_id LIMIT 20)', v_engine || '_due_count') USING v_engine;
    END LOOP;
    RETURN QUERY
    -- Each by the index of its status: together they would read the whole outbox.
    SELECT 'actions_open', a.engine, a.status, count(*)::double precision FROM (
        SELECT x.engine, x.status FROM scheduled_actions AS x WHERE x.status IN ('suggested', 'failed', 'dead')
        UNION ALL
        SELECT x.engine, x.status FROM scheduled_actions AS x WHERE x.status = 'scheduled'
        UNION ALL
        SELECT x.engine, x.status FROM scheduled_actions AS x WHERE x.status = 'sending'
    ) AS a GROUP BY a.engine, a.status
    UNION ALL
    SELECT 'action_oldest_seconds', a.engine, a.kind, extract(epoch FROM fleet_now() - min(a.run_at))::double precision
    FROM scheduled_actions AS a WHERE a.status = 'scheduled' AND a.run_at < fleet_now() GROUP BY a.engine, a.kind
    UNION ALL
    SELECT 'runs_day', r.engine, r.status, count(*)::double precision FROM engine_runs AS r
    WHERE r.started_at > fleet_now() - interval '1 day' GROUP BY r.engine, r.status
    UNION ALL
    SELECT v.name, r.engine, NULL, v.value FROM (
        SELECT DISTINCT ON (x.engine) x.* FROM engine_runs AS x WHERE x.slot IS NOT NULL AND x.started_at IS NOT NULL
        ORDER BY x.engine, x.slot DESC
    ) AS r
    CROSS JOIN LATERAL (VALUES
        ('slot_late_seconds', extract(epoch FROM r.started_at - r.slot)::double precision),
        ('slot_seconds', extract(epoch FROM coalesce(r.finished_at, clock_timestamp()) - r.started_at)::double precision),
        ('slot_acted', r.acted::double precision)) AS v (name, value)
    UNION ALL
    SELECT 'pass_age_seconds', NULL, h.name, extract(epoch FROM clock_timestamp() - h.at)::double precision FROM fleet_heartbeats AS h
    UNION ALL
    SELECT 'incidents_open', NULL, NULL, count(*)::double precision FROM open_incidents()
    UNION ALL
    SELECT 'inbound_unread', NULL, NULL, count(*)::double precision FROM inbound_messages AS m
    WHERE m.processed_at IS NULL AND m.kind IN ('reply', 'message');
    RETURN QUERY
    SELECT 'sent_day', s.engine, s.kind, count(*)::double precision
    FROM tenants AS t
    CROSS JOIN LATERAL (
        SELECT a.engine, a.kind FROM scheduled_actions AS a
        WHERE a.tenant_id = t.id AND (a.kind = 'email') AND a.status = 'sent' AND a.sent_at > fleet_now() - interval '1 day'
        UNION ALL
        SELECT a.engine, a.kind FROM scheduled_actions AS a
        WHERE a.tenant_id = t.id AND (a.kind = 'email') = false AND a.status = 'sent' AND a.sent_at > fleet_now() - interval '1 day'
    ) AS s
    GROUP BY s.engine, s.kind;
END
$$;

REVOKE ALL ON FUNCTION note_heartbeat(text), watch_work(), watch_missed(), note_findings(jsonb), untold_incidents(), open_incidents(),
    watch_database(interval, interval), watch_figures() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION note_heartbeat(text), watch_work(), watch_missed(), note_findings(jsonb), untold_incidents(), open_incidents(),
    watch_database(interval, interval), watch_figures() TO service_role;
