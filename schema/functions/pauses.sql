-- Pauses: until a moment nothing is sent to somebody, or about a deal, quote, order or check. What is written meanwhile waits
-- for that moment, and the guards hold then as ever.

-- Holds a mailbox (or, where that is NULL, a subject) until a moment: what waits to leave is moved there. Returns the actions
-- that it moved.
CREATE OR REPLACE FUNCTION pause_matter(
    p_tenant_id uuid, p_mailbox text, p_subject_id uuid, p_until timestamptz, p_by text, p_why text
) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO matter_pauses AS p (tenant_id, mailbox, subject_id, until, why, paused_by, paused_at)
    VALUES (p_tenant_id, p_mailbox, p_subject_id, p_until, p_why, p_by, fleet_now())
    ON CONFLICT (tenant_id, mailbox, subject_id) DO UPDATE
    SET until = excluded.until, why = excluded.why, paused_by = excluded.paused_by, paused_at = excluded.paused_at;
    RETURN QUERY SELECT edit_actions(ARRAY(
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.tenant_id = p_tenant_id AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled') AND a.run_at < p_until
          AND (a.mailbox = p_mailbox OR a.subject_id = p_subject_id)), NULL, p_until, p_by, p_why);
END
$$;

-- Ends a pause: what waited for its end may leave now. False: there was none.
CREATE OR REPLACE FUNCTION end_pause(p_tenant_id uuid, p_mailbox text, p_subject_id uuid, p_by text, p_why text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_until timestamptz;
BEGIN
    DELETE FROM matter_pauses AS p
    WHERE p.tenant_id = p_tenant_id AND p.mailbox IS NOT DISTINCT FROM p_mailbox AND p.subject_id IS NOT DISTINCT FROM p_subject_id
    RETURNING p.until INTO v_until;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM edit_actions(ARRAY(
        SELECT a.id FROM scheduled_actions AS a
        WHERE a.tenant_id = p_tenant_id AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled')
          AND a.run_at = v_until AND v_until > fleet_now() AND (a.mailbox = p_mailbox OR a.subject_id = p_subject_id)
    ), NULL, fleet_now(), p_by, p_why);
    RETURN true;
END
$$;

-- What is written to somebody or about something that is paused waits.
CREATE OR REPLACE FUNCTION heed_pauses() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM matter_pauses AS p WHERE p.until > fleet_now() AND p.tenant_id IN (SELECT w.tenant_id FROM written AS w)) THEN
        UPDATE scheduled_actions AS a SET run_at = h.until
        FROM (SELECT w.id, max(p.until) AS until FROM written AS w
              JOIN matter_pauses AS p ON p.tenant_id = w.tenant_id AND (p.mailbox = w.mailbox OR p.subject_id = w.subject_id)
              WHERE w.kind = 'email' GROUP BY w.id) AS h
        WHERE a.id = h.id AND a.run_at < h.until;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER pauses_heeded
    AFTER INSERT ON scheduled_actions
    REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION heed_pauses();

-- What `fleet explain` and the console say of a pause.
CREATE OR REPLACE FUNCTION explain_pause(p_tenant_id uuid, p_mailbox text, p_subject_id uuid)
RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT p.until, 'next', format('the pause ends that %s made', p.paused_by) || coalesce(': ' || p.why, '')
    FROM matter_pauses AS p
    WHERE p.tenant_id = p_tenant_id AND (p.mailbox = p_mailbox OR p.subject_id = p_subject_id) AND p.until > fleet_now()
$$;

REVOKE ALL ON FUNCTION pause_matter(uuid, text, uuid, timestamptz, text, text), end_pause(uuid, text, uuid, text, text),
    heed_pauses(), explain_pause(uuid, text, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION pause_matter(uuid, text, uuid, timestamptz, text, text), end_pause(uuid, text, uuid, text, text),
    explain_pause(uuid, text, uuid) TO service_role;
