-- The mail of somebody who answered, handed on as it came to whom the tenant names (forward_replies_to): beside the task about
-- it, so that its reader simply answers. Our own people's business: it knows no caps and no hours. Once for each mail, never
-- to a customer, and never to where the fleet itself reads.

-- Why mail is not forwarded to an address; NULL: it may be.
CREATE OR REPLACE FUNCTION forward_refusal(p_tenant_id uuid, p_address text) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN nullif(btrim(p_address), '') IS NULL THEN 'there is nobody with an address to forward it to'
        WHEN k.own = 'mailbox' THEN p_address || ' is a mailbox that the fleet reads or sends from: the mail would come back'
        WHEN k.own IS DISTINCT FROM 'profile'
             AND EXISTS (SELECT FROM contacts_with_address(p_tenant_id, folded_address(p_address), p_address))
            THEN p_address || ' is a customer''s address' END
    FROM (SELECT own_address(p_tenant_id, p_address) AS own) AS k
$$;

-- Refuses such an address where it is written.
CREATE OR REPLACE FUNCTION check_forwarding() RETURNS trigger
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_refusal constant text := forward_refusal(NEW.tenant_id, NEW.forward_replies_to);
BEGIN
    IF v_refusal IS NOT NULL THEN
        RAISE EXCEPTION '%', v_refusal USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER forwarding_checked
    BEFORE INSERT OR UPDATE OF forward_replies_to ON tenant_delivery
    FOR EACH ROW WHEN (NEW.forward_replies_to IS NOT NULL AND NEW.forward_replies_to <> 'owner')
    EXECUTE FUNCTION check_forwarding();

-- Writes that a mail is to be forwarded, if the tenant wishes it; p_task is the task about it. Whoever used a link wrote no
-- mail.
CREATE OR REPLACE FUNCTION forward_answer(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb, p_task bigint
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                                   assigned_to, recipient, run_at, status, priority, dedupe_key)
    SELECT p_message.tenant_id, c.engine, 'forward', 'answer_forwarded',
           c.variables || jsonb_build_object('answer_to', p_message.from_address, 'task_id', p_task), 'inbound_message', p_message.id,
           c.client_id, c.assigned_to,
           CASE y.forward_replies_to WHEN 'owner' THEN p.email::text ELSE y.forward_replies_to END, fleet_now(), 'scheduled', 'high',
           'forward:' || p_message.id
    FROM tenant_delivery AS y
    CROSS JOIN LATERAL answer_context(p_message, p_action, p_judgement) AS c
    LEFT JOIN profiles AS p ON p.id = c.assigned_to AND p.tenant_id = y.tenant_id
    WHERE y.tenant_id = p_message.tenant_id AND y.forward_replies_to IS NOT NULL AND p_message.raw_size > 0
    ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
$$;

-- The action that forwards a stored message; NULL: it is not forwarded.
CREATE OR REPLACE FUNCTION forward_of(p_inbound_id uuid) RETURNS bigint
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id FROM inbound_messages AS m
    JOIN scheduled_actions AS a ON a.tenant_id = m.tenant_id AND a.dedupe_key = 'forward:' || m.id
    WHERE m.id = p_inbound_id
$$;

-- Keeps a mail as it came, until it has been forwarded.
CREATE OR REPLACE FUNCTION keep_raw_mail(p_action bigint, p_raw bytea) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO forwarded_mail (action_id, tenant_id, raw) SELECT a.id, a.tenant_id, p_raw FROM scheduled_actions AS a WHERE a.id = p_action
    ON CONFLICT (action_id) DO NOTHING
$$;

-- Claims up to p_limit due forwards under a lease, and forgets the mails that are through. What may not be forwarded is settled
-- with its reason and comes back with that verdict. task_*: the task that waits for its reader, if it is known.
CREATE OR REPLACE FUNCTION claim_forwards(p_owner text, p_lease interval, p_limit integer)
RETURNS TABLE (
    action_id bigint, tenant_id uuid, verdict text, template text, variables jsonb, address text, tenant_name text,
    from_name text, from_address text, attempts integer, assignee text, task_template text, task_variables jsonb, raw bytea
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    -- Few mails wait, and each asks for its own action: the other way round all of the outbox would be read.
    DELETE FROM forwarded_mail AS f
    WHERE (SELECT a.status FROM scheduled_actions AS a WHERE a.id = f.action_id) IN ('sent', 'skipped', 'cancelled');
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT a.id, CASE WHEN EXISTS (SELECT FROM forwarded_mail AS f WHERE f.action_id = a.id)
                          THEN forward_refusal(a.tenant_id, a.recipient) ELSE 'the mail itself was not kept' END AS refusal
        FROM tenants_with_actions('forward') AS w (tenant_id)
        CROSS JOIN LATERAL (
            SELECT x.* FROM scheduled_actions AS x
            WHERE x.status = 'scheduled' AND x.kind = 'forward' AND x.tenant_id = w.tenant_id AND x.run_at <= fleet_now()
            ORDER BY x.run_at, x.id LIMIT p_limit
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS a
        WHERE NOT is_stopped(w.tenant_id, NULL)
          AND NOT EXISTS (SELECT FROM tenant_delivery AS y WHERE y.tenant_id = w.tenant_id AND y.paused)
        LIMIT p_limit
    ), updated AS (
        UPDATE scheduled_actions AS a SET
            status = CASE WHEN d.refusal IS NULL THEN 'sending' ELSE 'skipped' END,
            reason = d.refusal, code = CASE WHEN d.refusal IS NOT NULL THEN 'not_forwarded' END,
            attempts = a.attempts + CASE WHEN d.refusal IS NULL THEN 1 ELSE 0 END,
            lease_owner = CASE WHEN d.refusal IS NULL THEN p_owner END,
            lease_until = CASE WHEN d.refusal IS NULL THEN clock_timestamp() + p_lease END
        FROM due AS d WHERE a.id = d.id
        RETURNING a.*
    )
    SELECT u.id, u.tenant_id, CASE u.status WHEN 'skipped' THEN u.status END, u.template, u.variables, u.recipient, t.name::text,
           y.from_name, y.from_address, u.attempts, coalesce(nullif(btrim(p.full_name::text), ''), p.email::text),
           k.template, k.variables, f.raw
    FROM updated AS u
    JOIN tenants AS t ON t.id = u.tenant_id
    LEFT JOIN forwarded_mail AS f ON f.action_id = u.id
    LEFT JOIN tenant_delivery AS y ON y.tenant_id = u.tenant_id
    LEFT JOIN profiles AS p ON p.id = u.assigned_to AND p.tenant_id = u.tenant_id
    LEFT JOIN scheduled_actions AS k ON k.id = (u.variables ->> 'task_id')::bigint AND k.tenant_id = u.tenant_id
    ORDER BY u.id;
END
$$;

REVOKE ALL ON FUNCTION forward_refusal(uuid, text), check_forwarding(),
    forward_answer(inbound_messages, scheduled_actions, jsonb, bigint), forward_of(uuid), keep_raw_mail(bigint, bytea),
    claim_forwards(text, interval, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION forward_refusal(uuid, text), forward_answer(inbound_messages, scheduled_actions, jsonb, bigint),
    forward_of(uuid), keep_raw_mail(bigint, bytea), claim_forwards(text, interval, integer) TO service_role;
