-- Enrichment: what mails say, the queue of found contact data, and opportunity signals. What a mail means and
-- what a merge may change is decided in Python (workers.insight); here the rows are claimed and settled.
-- Rows that a provider has to be asked about are in providers.sql.

CREATE OR REPLACE FUNCTION calculate_signal_strength(p_signal_type text, p_context jsonb DEFAULT '{}') RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT least(1.0,
        CASE p_signal_type
            WHEN 'complaint' THEN 0.8 WHEN 'urgency' THEN 0.9 WHEN 'budget_mention' THEN 0.85
            WHEN 'competitor_mention' THEN 0.75 WHEN 'expansion' THEN 0.95 WHEN 'renewal' THEN 0.9
            WHEN 'upsell' THEN 0.85 WHEN 'referral' THEN 0.95 WHEN 'churn_risk' THEN 0.95
            ELSE 0.5
        END
        + CASE WHEN coalesce((p_context ->> 'keyword_count')::integer, 0) > 2 THEN 0.1 ELSE 0 END
        + CASE WHEN coalesce((p_context ->> 'is_decision_maker')::boolean, false) THEN 0.05 ELSE 0 END)
$$;

CREATE OR REPLACE FUNCTION get_pending_enrichment(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    queue_id uuid, contact_id uuid, email_address text, source text, source_id text, extracted_data jsonb,
    created_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 20
AS $$
BEGIN
    RETURN QUERY
    SELECT e.id, e.contact_id, e.email_address, e.source, e.source_id, e.extracted_data, e.created_at
    FROM contact_enrichment_queue AS e
    WHERE e.tenant_id = p_tenant_id AND e.status = 'pending'
    ORDER BY e.created_at
    LIMIT p_limit;
END
$$;

-- Signals nobody acted on yet, the strongest first, then the oldest.
CREATE OR REPLACE FUNCTION get_unactioned_signals(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    signal_id uuid, source_type text, source_id uuid, client_id uuid, contact_id uuid, signal_type text,
    signal_strength numeric, extracted_text text, created_at timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 20
AS $$
BEGIN
    RETURN QUERY
    SELECT s.id, s.source_type, s.source_id, s.client_id, s.contact_id, s.signal_type,
           s.signal_strength, s.extracted_text, s.created_at
    FROM opportunity_signals AS s
    WHERE s.tenant_id = p_tenant_id AND NOT s.actioned
    ORDER BY s.signal_strength DESC, s.created_at
    LIMIT p_limit;
END
$$;

-- Claims a batch of pending rows that have data, and of those whose worker was lost half an hour ago, each with the contact
-- it belongs to (by id, else by address) and that contact's present values. Contacts are locked as well:
-- two workers must not both find the same field empty. A row whose contact another worker holds stays for
-- a later round and is returned with busy = true.
CREATE OR REPLACE FUNCTION claim_enrichment(p_tenant_id uuid, p_limit integer)
RETURNS TABLE (
    queue_id uuid, source text, extracted_data jsonb, contact_id uuid, busy boolean,
    first_name text, last_name text, email text, title text, phone text, mobile text, linkedin_url text, company text
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_queue uuid[];
    v_wanted uuid[];
    v_contacts uuid[];
BEGIN
    IF action_status(p_tenant_id, 'enrichment') IS NULL THEN
        RETURN;
    END IF;

    -- Two scans, each along its own index: with one OR the whole queue would be read and sorted.
    WITH claimed AS (
        SELECT * FROM (
            SELECT * FROM (
                SELECT e.id, e.contact_id, e.email_address FROM contact_enrichment_queue AS e
                WHERE e.tenant_id = p_tenant_id AND e.status = 'processing' AND coalesce(e.claimed_at, e.created_at) <= v_now - interval '30 minutes'
                  AND (e.source NOT IN ('apollo', 'web_search') OR e.extracted_data IS NOT NULL)
                ORDER BY coalesce(e.claimed_at, e.created_at) LIMIT p_limit
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS lost
            UNION ALL
            SELECT * FROM (
                SELECT e.id, e.contact_id, e.email_address FROM contact_enrichment_queue AS e
                WHERE e.tenant_id = p_tenant_id AND e.status = 'pending'
                  AND (e.source NOT IN ('apollo', 'web_search') OR e.extracted_data IS NOT NULL)
                ORDER BY e.created_at LIMIT p_limit
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS waiting
        ) AS due
        LIMIT p_limit
    ), matched AS (
        SELECT q.id, c.id AS contact_id FROM claimed AS q
        LEFT JOIN LATERAL (  -- two branches, each one probe of an index; a CASE over both would read every contact
            SELECT x.id FROM contacts AS x WHERE x.id = q.contact_id AND x.tenant_id = p_tenant_id
            UNION ALL
            (SELECT x.id FROM contacts AS x
             WHERE q.contact_id IS NULL AND x.tenant_id = p_tenant_id AND lower(x.email) = lower(btrim(q.email_address))
             ORDER BY x.created_at LIMIT 1)
        ) AS c ON true
    )
    SELECT array_agg(m.id ORDER BY m.id), array_agg(m.contact_id ORDER BY m.id) INTO v_queue, v_wanted FROM matched AS m;

    WITH locked AS (
        SELECT c.id FROM contacts AS c WHERE c.id = ANY (v_wanted)
        ORDER BY c.id
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT coalesce(array_agg(l.id), '{}') INTO v_contacts FROM locked AS l;

    RETURN QUERY
    SELECT e.id, e.source, e.extracted_data, w.contact_id, w.contact_id IS NOT NULL AND NOT w.contact_id = ANY (v_contacts),
           c.first_name, c.last_name, c.email, c.title, c.phone, c.mobile, c.linkedin_url, l.company_name
    FROM unnest(v_queue, v_wanted) AS w (queue_id, contact_id)
    JOIN contact_enrichment_queue AS e ON e.id = w.queue_id
    LEFT JOIN contacts AS c ON c.id = w.contact_id
    LEFT JOIN clients AS l ON l.id = c.client_id AND l.tenant_id = p_tenant_id
    ORDER BY e.created_at, e.id;
END
$$;

-- Settles what a batch decided, set-wise: fills empty contact fields (never a filled one, whatever was
-- proposed) and closes the queue rows with their conflicts or reasons.
-- p_results: [{"queue_id", "contact_id", "status", "error", "fill": {field: value}, "conflicts": [...]}]
CREATE OR REPLACE FUNCTION settle_enrichment(p_tenant_id uuid, p_results jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_error text;
BEGIN
    BEGIN
        WITH result AS (
            SELECT r.ordinal, (r.item ->> 'contact_id')::uuid AS contact_id, r.item -> 'fill' AS fill
            FROM jsonb_array_elements(p_results) WITH ORDINALITY AS r (item, ordinal)
            WHERE jsonb_typeof(r.item -> 'fill') = 'object'
        ), fill AS (
            SELECT r.contact_id, jsonb_object_agg(f.key, f.value ORDER BY r.ordinal DESC) AS fields
            FROM result AS r CROSS JOIN jsonb_each_text(r.fill) AS f
            GROUP BY r.contact_id
        )
        UPDATE contacts AS c SET
            first_name = coalesce(nullif(btrim(c.first_name), ''), f.fields ->> 'first_name'),
            last_name = coalesce(nullif(btrim(c.last_name), ''), f.fields ->> 'last_name'),
            email = coalesce(nullif(btrim(c.email), ''), f.fields ->> 'email'),
            title = coalesce(nullif(btrim(c.title), ''), f.fields ->> 'title'),
            phone = coalesce(nullif(btrim(c.phone), ''), f.fields ->> 'phone'),
            mobile = coalesce(nullif(btrim(c.mobile), ''), f.fields ->> 'mobile'),
            linkedin_url = coalesce(nullif(btrim(c.linkedin_url), ''), f.fields ->> 'linkedin_url')
        FROM fill AS f
        WHERE c.id = f.contact_id AND c.tenant_id = p_tenant_id;

        UPDATE contact_enrichment_queue AS e SET
            status = r.status, error_message = r.error, processed_at = v_now,
            merge_conflicts = coalesce(r.conflicts, '[]'),
            merged_to_contact_id = CASE WHEN r.status = 'completed' THEN r.contact_id END
        FROM jsonb_to_recordset(p_results)
            AS r (queue_id uuid, contact_id uuid, status text, error text, conflicts jsonb)
        WHERE e.id = r.queue_id AND e.tenant_id = p_tenant_id;
        RETURN;
    EXCEPTION WHEN OTHERS THEN
        IF is_transient(SQLSTATE) THEN
            RAISE;
        END IF;
        v_error := SQLERRM;
    END;
    -- A CRM has rules of its own (a unique address, a length): the row it refuses fails by itself.
    IF jsonb_array_length(p_results) > 1 THEN
        PERFORM settle_enrichment(p_tenant_id, jsonb_build_array(t)) FROM jsonb_array_elements(p_results) AS t;
    ELSE
        UPDATE contact_enrichment_queue AS e
        SET status = 'failed', error_message = 'the CRM refuses it: ' || v_error, processed_at = v_now
        WHERE e.id = (p_results -> 0 ->> 'queue_id')::uuid AND e.tenant_id = p_tenant_id;
    END IF;
END
$$;

-- The country in whose way a tenant's telephone numbers are read; NULL if it never said.
CREATE OR REPLACE FUNCTION tenant_region(p_tenant_id uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT d.phone_region FROM tenant_delivery AS d WHERE d.tenant_id = p_tenant_id
$$;

-- Claims a batch of unread mail with what is known of its sender. No more than 200, and of each no more than
-- anybody reads: the caller judges them while it holds their locks.
CREATE OR REPLACE FUNCTION claim_inbound(p_tenant_id uuid, p_limit integer)
RETURNS TABLE (
    message_id uuid, from_address text, from_name text, text text, html text, contact_id uuid, client_id uuid, title text
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF action_status(p_tenant_id, 'enrichment') IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT m.* FROM inbound_messages AS m
        WHERE m.tenant_id = p_tenant_id AND m.processed_at IS NULL AND m.kind IN ('reply', 'message')
        ORDER BY m.received_at LIMIT least(p_limit, 200)
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT m.id, m.from_address, m.from_name, left(m.text, 60000),
           CASE WHEN btrim(m.text, E' \t\r\n') = '' THEN left(m.html, 200000) END,
           c.id, coalesce(l.id, c.client_id), c.title
    FROM claimed AS m
    LEFT JOIN contacts AS c ON c.id = m.contact_id AND c.tenant_id = p_tenant_id
    LEFT JOIN clients AS l ON l.id = m.client_id AND l.tenant_id = p_tenant_id
    ORDER BY m.received_at, m.id;
END
$$;

-- Settles what was read in a batch of mail: one queue row per message that was signed, one signal per message
-- and type, and the mail itself. Whatever is there already stays as it is.
-- p_results: [{"message_id", "contact_id", "client_id", "address", "fields": {field: value} | null,
--              "signals": [{"type", "evidence", "context": {"keyword_count", "is_decision_maker", …}}]}]
CREATE OR REPLACE FUNCTION settle_inbound(p_tenant_id uuid, p_results jsonb)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH result AS (
        SELECT r.* FROM jsonb_to_recordset(p_results) AS r (
            message_id uuid, contact_id uuid, client_id uuid, address text, fields jsonb, signals jsonb)
    ), queued AS (
        INSERT INTO contact_enrichment_queue (tenant_id, contact_id, email_address, source, source_id, extracted_data)
        SELECT p_tenant_id, r.contact_id, r.address, 'email_signature', r.message_id::text, r.fields
        FROM result AS r
        WHERE r.fields IS NOT NULL AND (r.contact_id IS NOT NULL OR r.address IS NOT NULL)
        ON CONFLICT (tenant_id, source, source_id) WHERE source_id IS NOT NULL DO NOTHING
        RETURNING id
    ), found AS (
        INSERT INTO opportunity_signals (tenant_id, source_type, source_id, client_id, contact_id, signal_type,
                                         signal_strength, extracted_text, context)
        SELECT p_tenant_id, 'email', r.message_id, r.client_id, r.contact_id, s.type,
               calculate_signal_strength(s.type, s.context), s.evidence, s.context
        FROM result AS r CROSS JOIN jsonb_to_recordset(r.signals) AS s (type text, evidence text, context jsonb)
        ON CONFLICT (tenant_id, source_type, source_id, signal_type) DO NOTHING
        RETURNING id
    ), updated AS (
        UPDATE inbound_messages AS m SET processed_at = fleet_now()
        FROM result AS r WHERE m.id = r.message_id AND m.tenant_id = p_tenant_id AND m.processed_at IS NULL
        RETURNING m.id
    )
    SELECT 'due', 'mail', count(*) FROM updated
    UNION ALL SELECT 'acted', 'mail read', count(*) FROM updated
    UNION ALL SELECT 'acted', 'signature found', count(*) FROM queued
    UNION ALL SELECT 'acted', 'signal found', count(*) FROM found
$$;

-- Writes the next action for strong signals of people we know, and notes in each signal that it was written.
-- Weak ones, and those of strangers, stay for people. A complaint that answers a feedback request has its case
-- and its task already.
CREATE OR REPLACE FUNCTION act_on_signals(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_status constant text := action_status(p_tenant_id, 'enrichment');
BEGIN
    IF v_status IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH claimed AS MATERIALIZED (
        SELECT s.* FROM opportunity_signals AS s
        WHERE s.tenant_id = p_tenant_id AND NOT s.actioned AND s.action_taken IS NULL AND s.signal_strength >= 0.8
          AND (s.contact_id IS NOT NULL OR s.client_id IS NOT NULL)
        ORDER BY s.created_at LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), known AS (
        SELECT s.id, s.signal_type, s.signal_strength, s.extracted_text, s.source_type, l.id AS client_id, c.id AS contact_id,
               l.company_name, nullif(btrim(concat_ws(' ', c.first_name, c.last_name)), '') AS person,
               p.id AS owner_id, p.full_name AS owner_name,
               s.signal_type = 'complaint' AND EXISTS (
                   SELECT FROM inbound_messages AS m
                   JOIN scheduled_actions AS a ON a.id = m.action_id AND a.tenant_id = p_tenant_id
                   JOIN feedback_requests AS f ON f.id = a.subject_id AND f.tenant_id = p_tenant_id
                   WHERE m.id = s.source_id AND m.tenant_id = p_tenant_id AND a.engine = 'feedback'
                     AND f.case_created_id IS NOT NULL) AS recovered
        FROM claimed AS s
        LEFT JOIN contacts AS c ON c.id = s.contact_id AND c.tenant_id = p_tenant_id
        LEFT JOIN clients AS l ON l.id = coalesce(s.client_id, c.client_id) AND l.tenant_id = p_tenant_id
        LEFT JOIN profiles AS p ON p.id = l.owner_id AND p.tenant_id = p_tenant_id
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, assigned_to, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'enrichment', 'task', 'opportunity_signal',
               jsonb_build_object('signal', k.signal_type, 'strength', k.signal_strength, 'evidence', k.extracted_text,
                                  'origin', k.source_type, 'company', k.company_name, 'person', k.person),
               'opportunity_signal', k.id, k.client_id, k.contact_id, k.owner_id, v_now, v_status,
               'signal:' || k.id, p_run
        FROM known AS k WHERE NOT k.recovered
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    ), updated AS (
        UPDATE opportunity_signals AS s
        SET action_taken = CASE WHEN k.recovered THEN 'service recovery'
                                ELSE 'task for ' || coalesce(nullif(btrim(k.owner_name), ''), 'the team') END
        FROM known AS k WHERE s.id = k.id
        RETURNING s.id
    )
    SELECT 'due', 'signal', count(*) FROM updated
    UNION ALL SELECT 'acted', 'signal acted on', count(*) FROM updated
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

-- A signal is done when its action is: in the transaction that settles the action, whichever road led there
-- (filed, cancelled by a person, refused by a guard), so that no second look at the outbox is needed.
CREATE OR REPLACE FUNCTION mark_signal_actioned() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE opportunity_signals AS s
    SET actioned = true, actioned_at = fleet_now(),
        action_result = CASE NEW.status WHEN 'sent' THEN 'task filed' ELSE coalesce(NEW.reason, NEW.status) END
    WHERE s.id = NEW.subject_id AND s.tenant_id = NEW.tenant_id AND NOT s.actioned;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER signal_action_done
    AFTER UPDATE OF status ON scheduled_actions
    FOR EACH ROW
    WHEN (NEW.subject_type = 'opportunity_signal' AND NEW.status IN ('sent', 'cancelled', 'skipped')
          AND NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION mark_signal_actioned();

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

REVOKE ALL ON FUNCTION calculate_signal_strength(text, jsonb), get_pending_enrichment(uuid, integer),
    get_unactioned_signals(uuid, integer), claim_enrichment(uuid, integer), settle_enrichment(uuid, jsonb),
    tenant_region(uuid), claim_inbound(uuid, integer), settle_inbound(uuid, jsonb),
    act_on_signals(uuid, integer, bigint), mark_signal_actioned(), rejected_proposals(uuid, uuid[]),
    list_conflicts(uuid, integer), decide_conflict(uuid, text, text, text)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION calculate_signal_strength(text, jsonb), get_pending_enrichment(uuid, integer),
    get_unactioned_signals(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION claim_enrichment(uuid, integer), settle_enrichment(uuid, jsonb), tenant_region(uuid),
    claim_inbound(uuid, integer), settle_inbound(uuid, jsonb), act_on_signals(uuid, integer, bigint),
    mark_signal_actioned(), rejected_proposals(uuid, uuid[]), list_conflicts(uuid, integer),
    decide_conflict(uuid, text, text, text) TO service_role;
