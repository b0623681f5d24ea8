-- Sending: claim e-mails under a lease, refuse or put off what must not leave now, settle what became of the others.

-- Claims up to p_per_tenant due e-mails of each tenant after p_after, at most p_limit, under a lease. What
-- the guards refuse is settled with its reason and comes back with that verdict, so that the caller knows
-- where it stopped, and noted in guards. A paused tenant, one outside its sending window, or one for whom as many work as may
-- (see limits.sql), is passed over and waits. The loop
-- steps from tenant to tenant in the order of their ids, which p_after relies on; one statement with a LIMIT
-- would serve them in whatever order its join yields, and whoever comes late in it could wait for ever. Planned once a session:
-- planning anew for each claim takes longer than reading some rows more.
CREATE OR REPLACE FUNCTION claim_emails(
    p_owner text, p_lease interval, p_limit integer, p_per_tenant integer, p_after uuid
) RETURNS TABLE (
    action_id bigint, tenant_id uuid, verdict text, template text, variables jsonb, address text,
    tenant_name text, from_name text, from_address text, attempts integer
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan SET enable_seqscan = off
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_tenant uuid := coalesce(p_after, '00000000-0000-0000-0000-000000000000');
    v_zones constant boolean := contacts_have_zones();
    v_due bigint[];
    v_claimed bigint[] := '{}';
BEGIN
    WHILE cardinality(v_claimed) < p_limit LOOP
        SELECT a.tenant_id INTO v_tenant FROM scheduled_actions AS a
        WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.tenant_id > v_tenant
        ORDER BY a.tenant_id LIMIT 1;
        EXIT WHEN v_tenant IS NULL;
        CONTINUE WHEN is_stopped(v_tenant, NULL) OR NOT v_zones AND sending_opens_at(v_tenant, v_now) > v_now
            OR EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = v_tenant AND y.paused);
        v_due := ARRAY(
            SELECT a.id FROM scheduled_actions AS a
            WHERE a.status = 'scheduled' AND a.kind = 'email' AND a.tenant_id = v_tenant AND a.run_at <= v_now
              AND NOT EXISTS (SELECT FROM operator_stops AS o WHERE o.tenant_id = v_tenant AND o.engine = a.engine)
            ORDER BY a.run_at, a.id
            LIMIT least(p_per_tenant, p_limit - cardinality(v_claimed), quota_left(v_tenant, 'messages'))
            FOR NO KEY UPDATE SKIP LOCKED);
        IF v_due <> '{}' AND take_tenant_place(v_tenant, false) THEN
            v_claimed := v_claimed || v_due;
        END IF;
    END LOOP;

    IF v_claimed = '{}' THEN
        RETURN;
    END IF;

    -- An address may have changed since the action was written. Who else claims for one of these mailboxes waits here, and
    -- sees what this claim takes.
    UPDATE scheduled_actions AS a SET mailbox = folded_mailbox(c.email) FROM contacts AS c
    WHERE a.id = ANY (v_claimed) AND c.id = a.contact_id AND c.tenant_id = a.tenant_id AND a.mailbox IS DISTINCT FROM folded_mailbox(c.email);
    PERFORM pg_advisory_xact_lock(l.key) FROM (
        SELECT DISTINCT hashtextextended(a.tenant_id || ' ' || a.mailbox, 0) AS key FROM scheduled_actions AS a
        WHERE a.id = ANY (v_claimed) AND a.mailbox IS NOT NULL
          -- One transaction is all of a simulation: it meets no other claim, and would keep the lock of every mailbox.
          AND current_setting('fleet.simulated', true) IS DISTINCT FROM 'yes' ORDER BY 1) AS l;

    RETURN QUERY
    WITH guarded AS MATERIALIZED (
        SELECT g.*, a.tenant_id, a.mailbox, a.contact_id, s.stranger,
               row_number() OVER (PARTITION BY a.tenant_id, s.stranger ORDER BY a.run_at, a.id) AS stranger_place,
               row_number() OVER (PARTITION BY a.tenant_id, a.mailbox, g.verdict IS NULL
                                  ORDER BY e.urgency, a.run_at, a.id) AS mailbox_place
        FROM action_guards(v_claimed) AS g
        JOIN scheduled_actions AS a ON a.id = g.action_id
        LEFT JOIN engines AS e ON e.name = a.engine
        CROSS JOIN LATERAL (
            SELECT g.verdict IS NULL AND NOT EXISTS (SELECT FROM letters_to(a.tenant_id, g.address)) AS stranger
        ) AS s
    ), tenant_room AS MATERIALIZED (
        SELECT t.tenant_id, quota_left(t.tenant_id, 'recipients') AS strangers
        FROM (SELECT DISTINCT g.tenant_id FROM guarded AS g WHERE g.stranger) AS t
    ), capped AS MATERIALIZED (
        -- What is over a cap waits, and loses nothing: strangers for the next hour, behind whoever comes meanwhile; a mailbox
        -- that has had its mails until the day on which it may be sent one again. Where the CRM has zones of its contacts,
        -- the hours are those of the reader.
        SELECT g.*, m.free_at, h.opens_at,
               CASE
                   WHEN g.verdict IS NOT NULL THEN NULL
                   WHEN g.mailbox_place > m.room THEN 'mailbox_cap'
                   WHEN g.stranger AND g.stranger_place > t.strangers THEN 'tenant_cap'
                   WHEN h.opens_at > v_now THEN 'window'
               END AS cap
        FROM guarded AS g
        LEFT JOIN tenant_room AS t ON t.tenant_id = g.tenant_id
        LEFT JOIN LATERAL room_in_mailbox(g.tenant_id, g.mailbox) AS m ON true
        LEFT JOIN LATERAL (
            SELECT sending_opens_in(g.tenant_id, coalesce(contact_zone(to_jsonb(c)), tenant_zone(g.tenant_id)), v_now) AS opens_at
            FROM (SELECT) AS one
            LEFT JOIN contacts AS c ON c.id = g.contact_id AND c.tenant_id = g.tenant_id
            WHERE v_zones AND g.verdict IS NULL
        ) AS h ON true
    ), judged AS (
        SELECT c.action_id, c.address,
               CASE WHEN c.cap IS NULL THEN c.verdict ELSE 'scheduled' END AS verdict, coalesce(c.cap, c.code) AS code,
               CASE c.cap
                   WHEN 'mailbox_cap' THEN 'the mailbox has had its e-mails'
                   WHEN 'tenant_cap' THEN 'the day''s quota of new recipients is used up'
                   WHEN 'window' THEN 'outside the hours in which its reader gets mail'
                   ELSE c.reason
               END AS reason,
               CASE c.cap
                   WHEN 'mailbox_cap' THEN c.free_at
                   WHEN 'tenant_cap' THEN v_now + interval '1 hour'
                   WHEN 'window' THEN c.opens_at
                   ELSE c.waits_until
               END AS waits_until
        FROM capped AS c
    ), updated AS (
        UPDATE scheduled_actions AS a SET
            status = coalesce(g.verdict, 'sending'),
            reason = g.reason,
            code = g.code,
            guards = coalesce(a.guards, '{}') || jsonb_build_object(coalesce(g.code, 'passed'), jsonb_strip_nulls(
                jsonb_build_object('at', v_now, 'reason', g.reason, 'until', g.waits_until))),
            run_at = coalesce(g.waits_until, a.run_at),
            attempts = a.attempts + CASE WHEN g.verdict IS NULL THEN 1 ELSE 0 END,
            lease_owner = CASE WHEN g.verdict IS NULL THEN p_owner END,
            lease_until = CASE WHEN g.verdict IS NULL THEN clock_timestamp() + p_lease END
        FROM judged AS g
        WHERE a.id = ANY (v_claimed) AND g.action_id = a.id
        RETURNING a.id, a.tenant_id, g.verdict, a.template, a.variables, g.address, a.attempts, a.run_at
    )
    SELECT u.id, u.tenant_id, u.verdict, u.template, u.variables, u.address, t.name::text, y.from_name, y.from_address, u.attempts
    FROM updated AS u
    JOIN tenants AS t ON t.id = u.tenant_id
    LEFT JOIN tenant_delivery AS y ON y.tenant_id = u.tenant_id
    ORDER BY u.tenant_id, u.run_at, u.id;
END
$$;

-- What tells later whether the text that was kept is the one that was sent: SHA-256 of its subject, an empty line, and it.
CREATE OR REPLACE FUNCTION text_hash(p_subject text, p_body text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT encode(sha256(convert_to(p_subject || E'\n\n' || p_body, 'UTF8')), 'hex')
$$;

-- Settles what became of claimed e-mails. Only the holder of the lease may: who lost it is not heard. Each is found by its id:
-- asked for their status, they would be read by the index of all leases, which is full of what was sent just now.
-- unsent marks what was claimed but never tried; its attempt is given back. What failed for good is noted, which
-- suppresses a dead address (see failures.sql).
-- p_results: [{"id", "status": sent | scheduled | failed | dead, "error", "address", "message_id", "subject", "body", "text_version",
--              "run_at", "unsent", "failure": {"whose", "cause", "status"}}]
CREATE OR REPLACE FUNCTION settle_emails(p_owner text, p_results jsonb) RETURNS integer
LANGUAGE sql VOLATILE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
    WITH updated AS (
        UPDATE scheduled_actions AS a SET
            status = r.status, last_error = coalesce(r.error, a.last_error), run_at = coalesce(r.run_at, a.run_at),
            sent_at = CASE WHEN r.status = 'sent' THEN fleet_now() END,
            sent_to = CASE WHEN r.status = 'sent' THEN r.address END,
            mailbox = coalesce(folded_mailbox(r.address), a.mailbox),
            new_recipient = CASE WHEN r.status = 'sent' THEN NOT EXISTS (SELECT FROM letters_to(a.tenant_id, r.address)) END,
            attempts = a.attempts - CASE WHEN r.unsent THEN 1 ELSE 0 END,
            message_id = coalesce(r.message_id, a.message_id), sent_subject = coalesce(r.subject, a.sent_subject),
            sent_body = CASE WHEN r.status = 'sent' THEN r.body END,
            sent_hash = CASE WHEN r.status = 'sent' THEN text_hash(r.subject, r.body) END,
            text_version = coalesce(r.text_version, a.text_version),
            lease_owner = NULL, lease_until = NULL
        FROM jsonb_to_recordset(p_results) AS r (
            id bigint, status text, error text, address text, message_id text, subject text, body text, text_version text,
            run_at timestamptz, unsent boolean, failure jsonb)
        WHERE a.id = r.id AND a.lease_owner = p_owner
        RETURNING a.id, a.tenant_id, lower(btrim(r.address)) AS address, r.error, r.failure
    ), noted AS (
        INSERT INTO delivery_failures (tenant_id, address, action_id, whose, cause, status, said, failed_at)
        SELECT u.tenant_id, u.address, u.id, u.failure ->> 'whose', u.failure ->> 'cause', u.failure ->> 'status', u.error,
               fleet_now()
        FROM updated AS u WHERE u.failure IS NOT NULL AND u.address IS NOT NULL
    )
    SELECT count(*)::integer FROM updated
$$;

DROP FUNCTION IF EXISTS is_new_recipient(uuid, text);  -- letters_to took its place

REVOKE ALL ON FUNCTION claim_emails(text, interval, integer, integer, uuid), text_hash(text, text),
    settle_emails(text, jsonb)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION claim_emails(text, interval, integer, integer, uuid), text_hash(text, text),
    settle_emails(text, jsonb) TO service_role;
