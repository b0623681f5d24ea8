-- Webhooks: what happens is told to the addresses that a tenant named for it. An event is one row for each of them, written in
-- the transaction of what it tells of, and carried out by workers/delivery/webhooks.py. Guards, caps, sending windows and
-- review are for what customers read; none of them applies here.

-- What can be told. docs/reference/webhooks.md lists the same with the fields of each, and a test compares the two.
CREATE OR REPLACE FUNCTION webhook_events() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT ARRAY['action.created', 'action.sent', 'reply.received', 'case.opened', 'deal.stalled', 'quote.expired']
$$;

-- Writes an event for whoever of the tenant wants it. The same event (p_key within its kind) again changes nothing. An endpoint
-- that is being removed is waited for, and not told any more.
CREATE OR REPLACE FUNCTION announce(p_tenant_id uuid, p_event text, p_key text, p_data jsonb) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO webhook_deliveries (tenant_id, endpoint_id, event, dedupe_key, data, occurred_at, run_at, give_up_at)
    SELECT e.tenant_id, e.id, p_event, p_event || ':' || p_key, p_data, fleet_now(), fleet_now(), fleet_now() + interval '5 days'
    FROM (SELECT x.tenant_id, x.id FROM webhook_endpoints AS x
          WHERE x.tenant_id = p_tenant_id AND x.active AND p_event = ANY (x.events)
          FOR KEY SHARE) AS e
    ON CONFLICT (endpoint_id, dedupe_key) DO NOTHING
$$;

-- Who wants to be told of an event: what happens in bulk is announced for these alone.
CREATE OR REPLACE FUNCTION tenants_told_of(p_event text) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 10
AS $$
    SELECT DISTINCT e.tenant_id FROM webhook_endpoints AS e WHERE e.active AND p_event = ANY (e.events)
$$;

-- An action as receivers know it: ids and words of our own. Names, addresses and texts stay here.
CREATE OR REPLACE FUNCTION action_told(p_action scheduled_actions) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT jsonb_build_object(
        'action_id', p_action.id, 'engine', p_action.engine, 'kind', p_action.kind, 'template', p_action.template,
        'status', p_action.status, 'subject_type', p_action.subject_type, 'subject_id', p_action.subject_id,
        'client_id', p_action.client_id, 'contact_id', p_action.contact_id, 'assigned_to', p_action.assigned_to,
        'run_at', p_action.run_at, 'sent_at', p_action.sent_at)
$$;

CREATE OR REPLACE FUNCTION announce_written_actions() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_endpoints) THEN  -- as in most installations: nothing is read further
        RETURN NULL;
    END IF;
    PERFORM announce(w.tenant_id, 'action.created', w.id::text, action_told(a))
    FROM tenants_told_of('action.created') AS t (tenant_id)
    JOIN written AS w ON w.tenant_id = t.tenant_id
    JOIN scheduled_actions AS a ON a.id = w.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER actions_written_announced
    AFTER INSERT ON scheduled_actions
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION announce_written_actions();

CREATE OR REPLACE FUNCTION announce_sent_actions() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM webhook_endpoints) THEN
        RETURN NULL;
    END IF;
    PERFORM announce(n.tenant_id, 'action.sent', n.id::text, action_told(a))
    FROM tenants_told_of('action.sent') AS t (tenant_id)
    JOIN settled AS n ON n.tenant_id = t.tenant_id
    JOIN claimed AS o ON o.id = n.id
    JOIN scheduled_actions AS a ON a.id = n.id
    WHERE n.status = 'sent' AND o.status <> 'sent';
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER actions_sent_announced
    AFTER UPDATE ON scheduled_actions
    REFERENCING OLD TABLE AS claimed NEW TABLE AS settled
    FOR EACH STATEMENT EXECUTE FUNCTION announce_sent_actions();

CREATE OR REPLACE FUNCTION announce_reply() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM announce(NEW.tenant_id, 'reply.received', NEW.id::text, jsonb_build_object(
        'message_id', NEW.id, 'kind', NEW.kind, 'answer', NEW.answer, 'sentiment', NEW.sentiment, 'action_id', NEW.action_id,
        'client_id', NEW.client_id, 'contact_id', NEW.contact_id));
    RETURN NULL;
END
$$;

-- What a person writes; receipts, absence notes, newsletters and bounces are not announced.
CREATE OR REPLACE TRIGGER reply_announced
    AFTER INSERT ON inbound_messages
    FOR EACH ROW WHEN (NEW.kind IN ('reply', 'message', 'unplaced'))
    EXECUTE FUNCTION announce_reply();

-- Asks the tenant's administrator to see to an endpoint, once a day at most.
CREATE OR REPLACE FUNCTION tell_of_webhook(p_endpoint_id uuid, p_reason text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, assigned_to, run_at,
                                   priority, dedupe_key)
    SELECT e.tenant_id, (SELECT min(x.name) FROM engines AS x), 'task', 'webhook_failing',
           jsonb_build_object('url', e.url, 'endpoint_id', e.id, 'reason', p_reason, 'active', e.active),
           'webhook_endpoint', e.id, responsible_profile(e.tenant_id, 'admin'), fleet_now(), 'high',
           concat_ws(':', 'webhook_failing', e.id, tenant_today(e.tenant_id))
    FROM webhook_endpoints AS e WHERE e.id = p_endpoint_id
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
$$;

-- Claims due events of the active endpoints after p_after, at most fifty of each and p_limit in all, until p_lease is over: what
-- is not settled by then is due again. An endpoint whose circuit is open gets one, to see whether it answers again.
CREATE OR REPLACE FUNCTION claim_webhooks(p_owner text, p_lease interval, p_limit integer, p_after uuid)
RETURNS TABLE (delivery_id bigint, endpoint_id uuid, url text, secret text, failures integer, webhook_id text, payload jsonb,
               attempts integer)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH due AS MATERIALIZED (
        SELECT d.id FROM webhook_endpoints AS e
        CROSS JOIN LATERAL (
            SELECT x.id FROM webhook_deliveries AS x
            WHERE x.endpoint_id = e.id AND x.status = 'pending' AND x.run_at <= fleet_now()
            ORDER BY x.run_at, x.id LIMIT CASE WHEN e.retry_at IS NULL THEN 50 ELSE 1 END
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS d
        WHERE e.active AND coalesce(e.retry_at <= fleet_now(), true) AND e.id > p_after AND NOT is_stopped(e.tenant_id, NULL)
        ORDER BY e.id LIMIT p_limit
    ), claimed AS (
        UPDATE webhook_deliveries AS x SET attempts = x.attempts + 1, lease_owner = p_owner, run_at = fleet_now() + p_lease
        WHERE x.id = ANY (ARRAY(SELECT d.id FROM due AS d))
        RETURNING x.*
    )
    SELECT c.id, c.endpoint_id, e.url, s.secret, e.failures, 'evt_' || md5(c.tenant_id || ' ' || c.dedupe_key),
           jsonb_build_object('type', c.event, 'timestamp', c.occurred_at,
                              'data', c.data || jsonb_build_object('tenant_id', c.tenant_id)),
           c.attempts
    FROM claimed AS c
    JOIN webhook_endpoints AS e ON e.id = c.endpoint_id
    JOIN webhook_secrets AS s ON s.endpoint_id = c.endpoint_id
    ORDER BY c.endpoint_id, c.id
$$;

-- Settles what became of claimed events, and how their endpoints answer. What is not taken within five days is dead, and a
-- person is told; an endpoint that says it is gone (410) is switched off, and so is a person. Only the holder of a lease is
-- heard. unsent gives the attempt back.
-- p_results: [{"id", "delivered", "unsent", "error", "run_at"}]; p_endpoints: [{"id", "failures", "retry_at", "gone"}]
CREATE OR REPLACE FUNCTION settle_webhooks(p_owner text, p_results jsonb, p_endpoints jsonb)
RETURNS TABLE (status text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    UPDATE webhook_endpoints AS e SET failures = r.failures, retry_at = r.retry_at,
        active = e.active AND NOT coalesce(r.gone, false),
        note = CASE WHEN r.gone THEN 'it answered 410 (gone)' ELSE e.note END
    FROM jsonb_to_recordset(p_endpoints) AS r (id uuid, failures integer, retry_at timestamptz, gone boolean)
    WHERE e.id = r.id;

    UPDATE webhook_deliveries AS d SET
        status = CASE WHEN r.delivered THEN 'delivered' WHEN r.run_at > d.give_up_at THEN 'dead' ELSE 'pending' END,
        settled_at = CASE WHEN r.delivered OR r.run_at > d.give_up_at THEN v_now END,
        attempts = d.attempts - CASE WHEN r.unsent THEN 1 ELSE 0 END,
        run_at = coalesce(r.run_at, v_now), last_error = coalesce(r.error, d.last_error), lease_owner = NULL
    FROM jsonb_to_recordset(p_results) AS r (id bigint, delivered boolean, unsent boolean, error text, run_at timestamptz)
    WHERE d.id = r.id AND d.lease_owner = p_owner;

    PERFORM tell_of_webhook(r.id, 'it answered 410 (gone)')
    FROM jsonb_to_recordset(p_endpoints) AS r (id uuid, gone boolean) WHERE r.gone;
    PERFORM tell_of_webhook(d.endpoint_id, max(d.last_error))
    FROM jsonb_to_recordset(p_results) AS r (id bigint)
    JOIN webhook_deliveries AS d ON d.id = r.id AND d.status = 'dead' GROUP BY d.endpoint_id;

    RETURN QUERY
    SELECT d.status, count(*) FROM jsonb_to_recordset(p_results) AS r (id bigint)
    JOIN webhook_deliveries AS d ON d.id = r.id GROUP BY d.status;
END
$$;

-- Events that nobody took within five days, as behind an endpoint that is off, are dead; what is over for a month is forgotten.
CREATE OR REPLACE FUNCTION sweep_webhooks() RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    DELETE FROM webhook_deliveries AS d WHERE d.id = ANY (ARRAY(
        SELECT x.id FROM webhook_deliveries AS x
        WHERE x.status IN ('delivered', 'dead') AND x.give_up_at < fleet_now() - interval '30 days' LIMIT 1000));
    WITH old AS (
        UPDATE webhook_deliveries AS d SET status = 'dead', settled_at = fleet_now(),
            last_error = coalesce(d.last_error, 'it was never tried: its endpoint was off')
        WHERE d.id = ANY (ARRAY(
            SELECT x.id FROM webhook_deliveries AS x
            WHERE x.status = 'pending' AND x.give_up_at < fleet_now() AND x.run_at <= fleet_now()
            LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED))
        RETURNING d.endpoint_id, d.last_error
    )
    SELECT tell_of_webhook(o.endpoint_id, max(o.last_error)) FROM old AS o GROUP BY o.endpoint_id;
$$;

-- The endpoints of a tenant, or (NULL) of all: what waits, what is dead, when one was last taken, and the latest trouble.
CREATE OR REPLACE FUNCTION list_webhooks(p_tenant_id uuid) RETURNS TABLE (
    endpoint_id uuid, tenant_id uuid, tenant_name text, url text, events text[], active boolean, note text, retry_at timestamptz,
    waiting bigint, dead bigint, last_delivered_at timestamptz, last_error text, created_by text, created_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT e.id, e.tenant_id, t.name::text, e.url, e.events, e.active, e.note, e.retry_at, d.waiting, d.dead,
           d.last_delivered_at, f.last_error, e.created_by, e.created_at
    FROM webhook_endpoints AS e
    JOIN tenants AS t ON t.id = e.tenant_id
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE x.status = 'pending') AS waiting, count(*) FILTER (WHERE x.status = 'dead') AS dead,
               max(x.settled_at) FILTER (WHERE x.status = 'delivered') AS last_delivered_at
        FROM webhook_deliveries AS x WHERE x.endpoint_id = e.id
    ) AS d
    LEFT JOIN LATERAL (
        SELECT x.last_error FROM webhook_deliveries AS x
        WHERE x.endpoint_id = e.id AND x.status <> 'delivered' AND x.last_error IS NOT NULL ORDER BY x.id DESC LIMIT 1
    ) AS f ON true
    WHERE p_tenant_id IS NULL OR e.tenant_id = p_tenant_id
    ORDER BY t.name, e.created_at, e.id
$$;

-- Who decided what about an endpoint; `fleet settings history` shows it.
CREATE OR REPLACE FUNCTION note_webhook(p_tenant_id uuid, p_url text, p_before text, p_after text, p_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO fleet_decisions (tenant_id, about, item, decision, before, after, decided_by, decided_at)
    VALUES (p_tenant_id, 'setting', 'webhook ' || p_url, 'set', to_jsonb(p_before), to_jsonb(p_after), p_by, fleet_now())
$$;

-- Adds an endpoint and returns its id.
CREATE OR REPLACE FUNCTION add_webhook(p_tenant_id uuid, p_url text, p_events text[], p_secret text, p_by text) RETURNS uuid
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_id uuid;
BEGIN
    INSERT INTO webhook_endpoints (tenant_id, url, events, created_by, created_at)
    VALUES (p_tenant_id, p_url, p_events, p_by, fleet_now())
    ON CONFLICT (tenant_id, url) DO NOTHING RETURNING id INTO v_id;
    IF v_id IS NULL THEN
        RAISE EXCEPTION 'this tenant has an endpoint at this URL already: remove it first' USING ERRCODE = 'unique_violation';
    END IF;
    INSERT INTO webhook_secrets (endpoint_id, secret) VALUES (v_id, p_secret);
    PERFORM note_webhook(p_tenant_id, p_url, NULL, array_to_string(p_events, ', '), p_by);
    RETURN v_id;
END
$$;

-- Removes an endpoint with all that waits for it.
CREATE OR REPLACE FUNCTION remove_webhook(p_endpoint_id uuid, p_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH removed AS (
        DELETE FROM webhook_endpoints AS e WHERE e.id = p_endpoint_id RETURNING e.*
    )
    SELECT note_webhook(r.tenant_id, r.url, array_to_string(r.events, ', '), 'removed', p_by) FROM removed AS r
$$;

-- Switches an endpoint on, with its circuit closed, or off.
CREATE OR REPLACE FUNCTION switch_webhook(p_endpoint_id uuid, p_active boolean, p_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH switched AS (
        UPDATE webhook_endpoints AS e SET active = p_active, failures = 0, retry_at = NULL,
            note = CASE WHEN NOT p_active THEN 'switched off by ' || p_by END
        WHERE e.id = p_endpoint_id RETURNING e.tenant_id, e.url
    )
    SELECT note_webhook(s.tenant_id, s.url, NULL, CASE WHEN p_active THEN 'on' ELSE 'off' END, p_by) FROM switched AS s
$$;

-- Lets the dead events of an endpoint be tried again, for five days more; returns how many.
CREATE OR REPLACE FUNCTION retry_webhook(p_endpoint_id uuid) RETURNS bigint
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH revived AS (
        UPDATE webhook_deliveries AS d SET status = 'pending', attempts = 0, settled_at = NULL, run_at = fleet_now(),
            give_up_at = fleet_now() + interval '5 days'
        WHERE d.endpoint_id = p_endpoint_id AND d.status = 'dead' RETURNING d.id
    ), closed AS (
        UPDATE webhook_endpoints AS e SET failures = 0, retry_at = NULL WHERE e.id = p_endpoint_id
    )
    SELECT count(*) FROM revived
$$;

REVOKE ALL ON FUNCTION webhook_events(), announce(uuid, text, text, jsonb), tenants_told_of(text), action_told(scheduled_actions),
    announce_written_actions(), announce_sent_actions(), announce_reply(), claim_webhooks(text, interval, integer, uuid),
    settle_webhooks(text, jsonb, jsonb), sweep_webhooks(), tell_of_webhook(uuid, text), list_webhooks(uuid),
    add_webhook(uuid, text, text[], text, text), remove_webhook(uuid, text), switch_webhook(uuid, boolean, text),
    retry_webhook(uuid), note_webhook(uuid, text, text, text, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION webhook_events(), announce(uuid, text, text, jsonb), tenants_told_of(text), action_told(scheduled_actions),
    claim_webhooks(text, interval, integer, uuid), settle_webhooks(text, jsonb, jsonb), sweep_webhooks(), tell_of_webhook(uuid, text),
    list_webhooks(uuid), add_webhook(uuid, text, text[], text, text), remove_webhook(uuid, text),
    switch_webhook(uuid, boolean, text), retry_webhook(uuid), note_webhook(uuid, text, text, text, text)
    TO service_role;
