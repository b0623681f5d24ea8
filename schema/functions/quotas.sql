-- What one tenant can make the fleet do within 24 hours. The numbers hold for everybody, unless the operator set others in
-- tenant_quotas. What is over waits and loses nothing, but for rows that users add: those are refused in words.

-- Of workers at a time and due items a minute there are as many as the settings allow (see limits.sql), unless the operator
-- set others.
CREATE OR REPLACE FUNCTION tenant_quota(p_tenant_id uuid, p_what text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_own tenant_quotas;
BEGIN
    SELECT * INTO v_own FROM tenant_quotas AS q WHERE q.tenant_id = p_tenant_id;
    RETURN CASE p_what
        WHEN 'messages' THEN coalesce(v_own.messages, 5000)
        WHEN 'recipients' THEN coalesce(v_own.recipients, 1000)
        WHEN 'tasks' THEN coalesce(v_own.tasks, 5000)
        WHEN 'rows' THEN coalesce(v_own.rows, 10000)
        WHEN 'mails' THEN coalesce(v_own.mails, 500)
        WHEN 'workers' THEN v_own.workers
        WHEN 'items' THEN v_own.items
    END;
END
$$;

-- How many more messages, new recipients or tasks there may be now. Counted from what was sent, no further than the quota;
-- and towards its end from what is being sent as well, because several claims are under way at once: far fewer than 500 of
-- one tenant, and whoever is written to counts as new.
CREATE OR REPLACE FUNCTION quota_left(p_tenant_id uuid, p_what text) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_since constant timestamptz := fleet_now() - interval '24 hours';
    v_left integer := tenant_quota(p_tenant_id, p_what);
BEGIN
    v_left := v_left - (
        SELECT count(*) FROM (
            SELECT FROM scheduled_actions AS a
            WHERE a.tenant_id = p_tenant_id AND (a.kind = 'email') = (p_what <> 'tasks') AND a.status = 'sent'
              AND a.sent_at > v_since AND (p_what <> 'recipients' OR a.new_recipient)
            LIMIT v_left
        ) AS sent);
    IF v_left < 500 AND p_what <> 'tasks' THEN
        v_left := v_left - (
            SELECT count(*) FROM scheduled_actions AS a WHERE a.status = 'sending' AND a.tenant_id = p_tenant_id);
    END IF;
    RETURN greatest(0, v_left);
END
$$;

-- Whether a sender has written to a tenant so often that its mail is kept, and starts nothing any more.
CREATE OR REPLACE FUNCTION is_flooding(p_tenant_id uuid, p_address text) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_quota constant integer := tenant_quota(p_tenant_id, 'mails');
BEGIN
    RETURN v_quota <= (
        SELECT count(*) FROM (
            SELECT FROM inbound_messages AS m
            WHERE m.tenant_id = p_tenant_id AND m.from_address = p_address AND m.received_at > fleet_now() - interval '24 hours'
            LIMIT v_quota
        ) AS received);
END
$$;

-- Refuses what a tenant's users add to a queue beyond the day's quota. The workers are never refused; what they added in that
-- time fills the quota too.
CREATE OR REPLACE FUNCTION check_row_quota() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := current_tenant_id();
    v_quota integer;
    v_added bigint;
BEGIN
    IF current_setting('role', true) IS DISTINCT FROM 'authenticated' THEN
        RETURN NULL;
    END IF;
    v_quota := tenant_quota(v_tenant, 'rows');
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %I WHERE tenant_id = $1 AND created_at > $2 LIMIT $3) AS added',
                   TG_TABLE_NAME) INTO v_added USING v_tenant, now() - interval '24 hours', v_quota + 1;
    IF v_added > v_quota THEN
        RAISE EXCEPTION 'more than % rows for % within 24 hours: ask the operator for a higher quota', v_quota, TG_TABLE_NAME
            USING ERRCODE = 'program_limit_exceeded';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER queue_within_quota
    AFTER INSERT ON contact_enrichment_queue
    FOR EACH STATEMENT EXECUTE FUNCTION check_row_quota();
CREATE OR REPLACE TRIGGER signals_within_quota
    AFTER INSERT ON opportunity_signals
    FOR EACH STATEMENT EXECUTE FUNCTION check_row_quota();
CREATE OR REPLACE TRIGGER checks_within_quota
    AFTER INSERT ON compliance_checks
    FOR EACH STATEMENT EXECUTE FUNCTION check_row_quota();

REVOKE ALL ON FUNCTION tenant_quota(uuid, text), quota_left(uuid, text), is_flooding(uuid, text),
    check_row_quota()
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION tenant_quota(uuid, text), quota_left(uuid, text), is_flooding(uuid, text)
    TO service_role;
