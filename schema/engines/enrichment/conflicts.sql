-- Enrichment: where found data contradicts what the CRM has, people decide.

-- What people refused to take over for these contacts.
CREATE OR REPLACE FUNCTION rejected_proposals(p_tenant_id uuid, p_contacts uuid[])
RETURNS TABLE (contact_id uuid, field text, proposed text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT d.contact_id, d.field, d.proposed FROM merge_decisions AS d
    WHERE d.contact_id = ANY (p_contacts) AND d.tenant_id = p_tenant_id AND d.decision = 'rejected'
$$;

-- Conflicts that wait for a person, the oldest first; a proposal made several times is shown once. What was
-- decided, or has come true by itself, is left out.
CREATE OR REPLACE FUNCTION list_conflicts(p_tenant_id uuid, p_limit integer)
RETURNS TABLE (
    queue_id uuid, tenant_name text, contact text, field text, current text, proposed text, source text, found_at timestamptz
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT * FROM (
        SELECT DISTINCT ON (c.id, x.field, x.proposed)
               e.id, t.name, coalesce(nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), ''), c.email, c.id::text),
               x.field, x.current, x.proposed, x.source, e.processed_at AS found_at
        FROM contact_enrichment_queue AS e
        JOIN tenants AS t ON t.id = e.tenant_id
        JOIN contacts AS c ON c.id = e.merged_to_contact_id AND c.tenant_id = e.tenant_id
        CROSS JOIN LATERAL jsonb_to_recordset(e.merge_conflicts) AS x (field text, current text, proposed text, source text)
        WHERE e.merge_conflicts <> '[]' AND (p_tenant_id IS NULL OR e.tenant_id = p_tenant_id)
          AND to_jsonb(c) ->> x.field IS DISTINCT FROM x.proposed
          AND NOT EXISTS (SELECT FROM merge_decisions AS d
                          WHERE d.tenant_id = e.tenant_id AND d.contact_id = c.id AND d.field = x.field
                            AND d.proposed = x.proposed)
        ORDER BY c.id, x.field, x.proposed, e.processed_at
    ) AS open
    ORDER BY open.found_at, open.id, open.field
    LIMIT p_limit
$$;

-- Decides one conflict and keeps the decision. Returns NULL, or why it was not done: a conflict is accepted
-- only while the contact has the value that the conflict saw.
CREATE OR REPLACE FUNCTION decide_conflict(p_queue_id uuid, p_field text, p_decision text, p_by text) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_conflict record;
    v_contact contacts;
    v_decided merge_decisions;
    v_value text;
BEGIN
    IF p_decision NOT IN ('accepted', 'rejected') THEN
        RAISE EXCEPTION 'decision is %, it must be accepted or rejected', p_decision
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT e.tenant_id, e.merged_to_contact_id AS contact_id, x.current, x.proposed INTO v_conflict
    FROM contact_enrichment_queue AS e
    CROSS JOIN LATERAL jsonb_to_recordset(e.merge_conflicts) AS x (field text, current text, proposed text)
    WHERE e.id = p_queue_id AND x.field = p_field
    LIMIT 1;
    -- The contact is the lock: two people who decide at once decide one after the other.
    SELECT * INTO v_contact FROM contacts AS c
    WHERE c.id = v_conflict.contact_id AND c.tenant_id = v_conflict.tenant_id FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN 'there is no such conflict';
    END IF;
    SELECT * INTO v_decided FROM merge_decisions AS d
    WHERE d.tenant_id = v_conflict.tenant_id AND d.contact_id = v_contact.id AND d.field = p_field
      AND (d.queue_id = p_queue_id OR d.proposed = v_conflict.proposed)
    LIMIT 1;
    IF FOUND THEN
        RETURN format('it was %s already on %s', v_decided.decision, to_char(v_decided.decided_at, 'YYYY-MM-DD'));
    END IF;

    IF p_decision = 'accepted' THEN
        IF p_field NOT IN ('first_name', 'last_name', 'title', 'phone', 'mobile', 'linkedin_url', 'email') THEN
            RETURN format('%s is not the contact''s own: change it where it belongs, then reject this', p_field);
        END IF;
        v_value := to_jsonb(v_contact) ->> p_field;
        IF coalesce(btrim(v_value), '') <> v_conflict.current THEN
            RETURN format('%s is now %s and no longer %s: look at it again, nothing was changed', p_field,
                          coalesce(quote_literal(nullif(btrim(v_value), '')), 'empty'), quote_literal(v_conflict.current));
        END IF;
        EXECUTE format('UPDATE contacts SET %I = $1 WHERE id = $2', p_field) USING v_conflict.proposed, v_contact.id;
    END IF;
    INSERT INTO merge_decisions (tenant_id, queue_id, contact_id, field, current, proposed, decision, decided_by, decided_at)
    VALUES (v_conflict.tenant_id, p_queue_id, v_contact.id, p_field, v_conflict.current, v_conflict.proposed, p_decision,
            p_by, fleet_now());
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION rejected_proposals(uuid, uuid[]), list_conflicts(uuid, integer),
    decide_conflict(uuid, text, text, text) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION rejected_proposals(uuid, uuid[]), list_conflicts(uuid, integer),
    decide_conflict(uuid, text, text, text) TO service_role;
