-- The outbox: claim with a lease, refuse what is no longer wanted, settle. Engines write scheduled_actions,
-- delivery reads them here; no other road leads from one to the other.

-- For each of these actions the address it would go to and, where something speaks against it, why it must not leave
-- and what it becomes: cancelled (its engine says that it is no longer wanted) or skipped (it cannot be sent). Only the
-- engines concerned are asked, and an action whose engine is not in the registry goes nowhere.
CREATE OR REPLACE FUNCTION action_guards(p_actions bigint[])
RETURNS TABLE (action_id bigint, address text, verdict text, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp ROWS 50
AS $$
DECLARE
    v_engine text;
    v_unwanted jsonb := '{}';  -- {action: reason}
BEGIN
    FOR v_engine IN
        SELECT e.name FROM engines AS e
        WHERE e.name IN (SELECT a.engine FROM scheduled_actions AS a WHERE a.id = ANY (p_actions))
    LOOP
        EXECUTE format('SELECT $1 || coalesce(jsonb_object_agg(g.action_id, g.reason), ''{}'') FROM %I($2) AS g',
                       v_engine || '_guard') INTO v_unwanted USING v_unwanted, p_actions;
    END LOOP;
    RETURN QUERY
    SELECT a.id, destination.address,
           CASE WHEN refusal.unwanted IS NOT NULL THEN 'cancelled' WHEN refusal.unsendable IS NOT NULL THEN 'skipped' END,
           coalesce(refusal.unwanted, refusal.unsendable)
    FROM scheduled_actions AS a
    LEFT JOIN engines AS e ON e.name = a.engine
    LEFT JOIN contacts AS p ON p.id = a.contact_id AND p.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (SELECT nullif(btrim(coalesce(p.email, a.recipient)), '') AS address) AS destination
    LEFT JOIN suppressions AS s ON s.tenant_id = a.tenant_id AND s.address = lower(destination.address)
                               AND (s.engines IS NULL OR a.engine = ANY (s.engines))
    CROSS JOIN LATERAL (
        SELECT CASE WHEN e.name IS NULL THEN format('there is no engine %s', a.engine)
                    ELSE v_unwanted ->> a.id::text END AS unwanted,
               CASE WHEN a.kind <> 'email' THEN NULL
                    WHEN destination.address IS NULL THEN 'no address'
                    WHEN length(destination.address) > 320 THEN 'the address is longer than any address'
                    WHEN s.address IS NOT NULL THEN 'address is suppressed: ' || s.reason END AS unsendable
    ) AS refusal
    WHERE a.id = ANY (p_actions);
END
$$;

-- Tells each engine which of its actions have just reached an end (sent, refused, failed, cancelled) or were revived
-- by an operator, in the transaction that settles them: state and outbox agree at every moment.
CREATE OR REPLACE FUNCTION tell_engines() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_engine text;
    v_actions bigint[];
BEGIN
    FOR v_engine, v_actions IN
        SELECT n.engine, array_agg(n.id) FROM settled AS n
        JOIN claimed AS o ON o.id = n.id
        JOIN engines AS e ON e.name = n.engine
        WHERE n.status <> o.status
          AND (n.status IN ('sent', 'skipped', 'failed', 'dead', 'cancelled')
               OR n.status = 'scheduled' AND o.status IN ('failed', 'dead'))
        GROUP BY n.engine
    LOOP
        EXECUTE format('SELECT %I($1)', v_engine || '_settled') USING v_actions;
    END LOOP;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER actions_settled
    AFTER UPDATE ON scheduled_actions
    REFERENCING OLD TABLE AS claimed NEW TABLE AS settled
    FOR EACH STATEMENT EXECUTE FUNCTION tell_engines();

-- Cancels what is still open about an action's subject, but for the templates to keep.
CREATE OR REPLACE FUNCTION cancel_open_actions(
    p_action scheduled_actions, p_reason text, p_keep text[] DEFAULT '{}'
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE scheduled_actions AS a SET status = 'cancelled', reason = p_reason
    WHERE a.tenant_id = p_action.tenant_id AND a.subject_type = p_action.subject_type
      AND a.subject_id = p_action.subject_id AND a.status IN ('suggested', 'scheduled') AND a.template <> ALL (p_keep)
$$;

-- Tenants with actions of a kind waiting, in the order of their ids: a loose scan that reads
-- one index entry per tenant, however much each one has waiting.
CREATE OR REPLACE FUNCTION tenants_with_actions(p_kind text) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 10
AS $$
    WITH RECURSIVE waiting AS (
        SELECT (SELECT a.tenant_id FROM scheduled_actions AS a
                WHERE a.status = 'scheduled' AND a.kind = p_kind
                ORDER BY a.tenant_id LIMIT 1) AS tenant_id
        UNION ALL
        SELECT (SELECT a.tenant_id FROM scheduled_actions AS a
                WHERE a.status = 'scheduled' AND a.kind = p_kind AND a.tenant_id > w.tenant_id
                ORDER BY a.tenant_id LIMIT 1)
        FROM waiting AS w WHERE w.tenant_id IS NOT NULL
    )
    SELECT w.tenant_id FROM waiting AS w WHERE w.tenant_id IS NOT NULL
$$;

-- Actions whose sender was lost come back; after the last attempt they are dead. Returns how many.
CREATE OR REPLACE FUNCTION recover_actions(p_max_attempts integer) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH lost AS (
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.status = 'sending' AND a.lease_until <= clock_timestamp()
        ORDER BY a.lease_until LIMIT 1000
        FOR NO KEY UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE scheduled_actions AS a SET
            status = CASE WHEN a.attempts >= p_max_attempts THEN 'dead' ELSE 'scheduled' END,
            last_error = 'the sender was lost before it reported back', lease_until = NULL, lease_owner = NULL
        FROM lost AS l WHERE a.id = l.id
        RETURNING a.id
    )
    SELECT count(*)::integer FROM updated
$$;

-- Claims up to p_per_tenant due e-mails of each tenant after p_after, at most p_limit, under a lease. What
-- the guards refuse is settled with its reason and comes back with that verdict, so that the caller knows
-- where it stopped. A paused tenant, or one outside its sending window, is passed over and waits. The loop
-- steps from tenant to tenant in the order of their ids, which p_after relies on; one statement with a LIMIT
-- would serve them in whatever order its join yields, and whoever comes late in it could wait for ever.
CREATE OR REPLACE FUNCTION claim_emails(
    p_owner text, p_lease interval, p_limit integer, p_per_tenant integer, p_after uuid
) RETURNS TABLE (
    action_id bigint, tenant_id uuid, verdict text, template text, variables jsonb, address text,
    tenant_name text, from_name text, from_address text, attempts integer
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_tenant uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_claimed bigint[] := '{}';
BEGIN
    WHILE cardinality(v_claimed) < p_limit LOOP
        SELECT a.tenant_id INTO v_tenant FROM scheduled_actions AS a
        WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.tenant_id > v_tenant
        ORDER BY a.tenant_id LIMIT 1;
        EXIT WHEN v_tenant IS NULL;
        CONTINUE WHEN is_stopped(v_tenant, NULL) OR EXISTS (
            SELECT FROM tenant_delivery AS y
            WHERE y.tenant_id = v_tenant
              AND (y.paused OR (v_now AT TIME ZONE y.time_zone)::time < y.window_start
                            OR (v_now AT TIME ZONE y.time_zone)::time >= y.window_end));
        v_claimed := v_claimed || ARRAY(
            SELECT a.id FROM scheduled_actions AS a
            WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.tenant_id = v_tenant AND a.run_at <= v_now
            ORDER BY a.run_at, a.id
            LIMIT least(p_per_tenant, p_limit - cardinality(v_claimed), quota_left(v_tenant, 'messages'))
            FOR NO KEY UPDATE SKIP LOCKED);
    END LOOP;

    RETURN QUERY
    WITH guarded AS MATERIALIZED (
        SELECT g.*, a.tenant_id, row_number() OVER (PARTITION BY a.tenant_id, s.stranger ORDER BY a.run_at, a.id) AS place, s.stranger
        FROM action_guards(v_claimed) AS g
        JOIN scheduled_actions AS a ON a.id = g.action_id
        CROSS JOIN LATERAL (SELECT g.verdict IS NULL AND is_new_recipient(a.tenant_id, g.address) AS stranger) AS s
    ), judged AS (
        -- Strangers beyond the day's quota wait for the next hour, behind whoever comes meanwhile.
        SELECT g.action_id, g.address,
               CASE WHEN over.quota THEN 'scheduled' ELSE g.verdict END AS verdict,
               CASE WHEN over.quota THEN 'the day''s quota of new recipients is used up' ELSE g.reason END AS reason
        FROM guarded AS g
        CROSS JOIN LATERAL (
            SELECT CASE WHEN g.stranger THEN g.place > quota_left(g.tenant_id, 'recipients') ELSE false END AS quota) AS over
    ), updated AS (
        UPDATE scheduled_actions AS a SET
            status = coalesce(g.verdict, 'sending'),
            reason = g.reason,
            run_at = CASE WHEN g.verdict = 'scheduled' THEN v_now + interval '1 hour' ELSE a.run_at END,
            attempts = a.attempts + CASE WHEN g.verdict IS NULL THEN 1 ELSE 0 END,
            lease_owner = CASE WHEN g.verdict IS NULL THEN p_owner END,
            lease_until = CASE WHEN g.verdict IS NULL THEN clock_timestamp() + p_lease END
        FROM judged AS g
        WHERE a.id = ANY (v_claimed) AND g.action_id = a.id
        RETURNING a.id, a.tenant_id, g.verdict, a.template, a.variables, g.address, a.attempts
    )
    SELECT u.id, u.tenant_id, u.verdict, u.template, u.variables, u.address, t.name::text, y.from_name, y.from_address, u.attempts
    FROM updated AS u
    JOIN tenants AS t ON t.id = u.tenant_id
    LEFT JOIN tenant_delivery AS y ON y.tenant_id = u.tenant_id
    ORDER BY u.tenant_id, u.id;
END
$$;

-- Settles what became of claimed e-mails. Only the holder of the lease may: who lost it is not heard.
-- unsent marks what was claimed but never tried; its attempt is given back. What failed for good is noted, which
-- suppresses a dead address (see failures.sql).
-- p_results: [{"id", "status": sent | scheduled | failed | dead, "error", "address", "message_id", "subject", "run_at",
--              "unsent", "failure": {"whose", "cause", "status"}}]
CREATE OR REPLACE FUNCTION settle_emails(p_owner text, p_results jsonb) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH updated AS (
        UPDATE scheduled_actions AS a SET
            status = r.status, last_error = coalesce(r.error, a.last_error), run_at = coalesce(r.run_at, a.run_at),
            sent_at = CASE WHEN r.status = 'sent' THEN fleet_now() END,
            sent_to = CASE WHEN r.status = 'sent' THEN r.address END,
            new_recipient = CASE WHEN r.status = 'sent' THEN is_new_recipient(a.tenant_id, r.address) END,
            attempts = a.attempts - CASE WHEN r.unsent THEN 1 ELSE 0 END,
            message_id = coalesce(r.message_id, a.message_id), sent_subject = coalesce(r.subject, a.sent_subject),
            lease_owner = NULL, lease_until = NULL
        FROM jsonb_to_recordset(p_results) AS r (
            id bigint, status text, error text, address text, message_id text, subject text, run_at timestamptz,
            unsent boolean, failure jsonb)
        WHERE a.id = r.id AND a.status = 'sending' AND a.lease_owner = p_owner
        RETURNING a.id, a.tenant_id, lower(btrim(r.address)) AS address, r.error, r.failure
    ), noted AS (
        INSERT INTO delivery_failures (tenant_id, address, action_id, whose, cause, status, said, failed_at)
        SELECT u.tenant_id, u.address, u.id, u.failure ->> 'whose', u.failure ->> 'cause', u.failure ->> 'status', u.error,
               fleet_now()
        FROM updated AS u WHERE u.failure IS NOT NULL AND u.address IS NOT NULL
    )
    SELECT count(*)::integer FROM updated
$$;

-- Claims due internal actions (a task or a case for the tenant's own people) under row locks. Their text is
-- rendered by the caller and written by file_internal in the same transaction: exactly once.
CREATE OR REPLACE FUNCTION claim_internal(p_limit integer, p_per_tenant integer)
RETURNS TABLE (action_id bigint, kind text, verdict text, template text, variables jsonb, tenant_name text)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_claimed bigint[];
BEGIN
    v_claimed := ARRAY(
        SELECT due.id FROM unnest(ARRAY['task', 'case']) AS k (kind)
        CROSS JOIN LATERAL tenants_with_actions(k.kind) AS w (tenant_id)
        CROSS JOIN LATERAL (
            SELECT a.id FROM scheduled_actions AS a
            WHERE a.status = 'scheduled' AND a.kind = k.kind AND a.tenant_id = w.tenant_id AND a.run_at <= v_now
            ORDER BY a.run_at, a.id LIMIT least(p_per_tenant, quota_left(w.tenant_id, 'tasks'))
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS due
        LIMIT p_limit);
    RETURN QUERY
    WITH guarded AS MATERIALIZED (
        SELECT * FROM action_guards(v_claimed)
    ), refused AS (
        UPDATE scheduled_actions AS a SET status = g.verdict, reason = g.reason
        FROM guarded AS g WHERE a.id = ANY (v_claimed) AND g.action_id = a.id AND g.verdict IS NOT NULL
    )
    SELECT a.id, a.kind, g.verdict, a.template, a.variables, t.name::text
    FROM guarded AS g
    JOIN scheduled_actions AS a ON a.id = g.action_id
    JOIN tenants AS t ON t.id = a.tenant_id
    ORDER BY a.id;
END
$$;

-- Writes claimed internal actions as tasks and cases of the CRM, settles them and returns how many it
-- wrote. A CRM has rules of its own: what it refuses fails by itself, with the CRM's words, and the rest is filed.
-- p_texts: [{"id", "title", "body"}]
CREATE OR REPLACE FUNCTION file_internal(p_texts jsonb) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_filed integer;
    v_error text;
BEGIN
    BEGIN
        WITH filed AS (
            SELECT a.id, a.tenant_id, a.kind, a.template, a.priority, r.title, r.body,
                   p.id AS assignee_id, l.id AS client_id, c.id AS contact_id, o.id AS order_id
            FROM jsonb_to_recordset(p_texts) AS r (id bigint, title text, body text)
            JOIN scheduled_actions AS a ON a.id = r.id AND a.status = 'scheduled'
            -- Who is gone since the action was written is left out.
            LEFT JOIN profiles AS p ON p.id = a.assigned_to AND p.tenant_id = a.tenant_id
            LEFT JOIN clients AS l ON l.id = a.client_id AND l.tenant_id = a.tenant_id
            LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
            LEFT JOIN orders AS o ON o.id::text = a.variables ->> 'order_id' AND o.tenant_id = a.tenant_id
        ), new_tasks AS (
            INSERT INTO tasks (tenant_id, title, description, status, priority, assigned_to, due_at)
            SELECT f.tenant_id, f.title, f.body, 'open', f.priority, f.assignee_id, v_now + interval '1 day'
            FROM filed AS f WHERE f.kind = 'task'
        ), new_cases AS (
            INSERT INTO cases (tenant_id, order_id, client_id, contact_id, title, description, status, priority, source, category)
            SELECT f.tenant_id, f.order_id, f.client_id, f.contact_id, f.title, f.body, 'open', f.priority, 'fleet', f.template
            FROM filed AS f WHERE f.kind = 'case'
        ), settled AS (
            UPDATE scheduled_actions AS a SET status = 'sent', sent_at = v_now, attempts = a.attempts + 1
            FROM filed AS f WHERE a.id = f.id
            RETURNING a.id
        )
        SELECT count(*) INTO v_filed FROM settled;
        RETURN v_filed;
    EXCEPTION WHEN OTHERS THEN
        IF is_transient(SQLSTATE) THEN
            RAISE;
        END IF;
        v_error := SQLERRM;
    END;
    IF jsonb_array_length(p_texts) > 1 THEN
        SELECT sum(file_internal(jsonb_build_array(t))) INTO v_filed FROM jsonb_array_elements(p_texts) AS t;
        RETURN v_filed;
    END IF;
    UPDATE scheduled_actions AS a
    SET status = 'failed', attempts = a.attempts + 1, last_error = 'the CRM refuses it: ' || v_error
    WHERE a.id = (p_texts -> 0 ->> 'id')::bigint;
    RETURN 0;
END
$$;

REVOKE ALL ON FUNCTION action_guards(bigint[]), tell_engines(), cancel_open_actions(scheduled_actions, text, text[]),
    tenants_with_actions(text), recover_actions(integer),
    claim_emails(text, interval, integer, integer, uuid), settle_emails(text, jsonb),
    claim_internal(integer, integer), file_internal(jsonb)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION action_guards(bigint[]), cancel_open_actions(scheduled_actions, text, text[]),
    tenants_with_actions(text), recover_actions(integer),
    claim_emails(text, interval, integer, integer, uuid), settle_emails(text, jsonb),
    claim_internal(integer, integer), file_internal(jsonb)
    TO service_role;
