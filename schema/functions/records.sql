-- How long records are kept, and how a person is forgotten.

-- Forgets a person: what the fleet keeps of a mailbox, its texts, names and addresses, is erased; that something was sent,
-- answered or refused, and when, stays countable. What waits to leave is cancelled, and nobody writes there any more: of
-- the mailbox a fingerprint is kept, which an address can be compared with and which names nobody. The CRM's own rows are
-- the CRM's. As the owner of the tables, because the workers may not change decisions. Returns what was erased, by kind.
-- Raises object_in_use while a message to the mailbox is on its way.
CREATE OR REPLACE FUNCTION forget_person(p_tenant_id uuid, p_address text, p_by text, p_why text)
RETURNS TABLE (what text, erased bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_mailbox constant text := folded_address(p_address);
    v_contacts constant uuid[] := ARRAY(SELECT c.contact_id FROM contacts_with_address(p_tenant_id, v_mailbox, v_mailbox) AS c);
    v_messages uuid[];
    v_actions bigint[];
    v_counts jsonb;
BEGIN
    v_messages := ARRAY(
        SELECT m.id FROM inbound_messages AS m WHERE m.tenant_id = p_tenant_id AND folded_mailbox(m.from_address) = v_mailbox
        UNION
        SELECT m.id FROM inbound_messages AS m WHERE m.tenant_id = p_tenant_id AND m.contact_id = ANY (v_contacts));
    v_actions := ARRAY(
        SELECT actions_to(p_tenant_id, v_mailbox)
        UNION
        SELECT a.id FROM scheduled_actions AS a WHERE a.tenant_id = p_tenant_id AND a.mailbox = v_mailbox
        UNION  -- what asks a person to see to an answer
        SELECT a.id FROM scheduled_actions AS a WHERE a.tenant_id = p_tenant_id AND a.subject_id = ANY (v_messages));
    PERFORM FROM scheduled_actions AS a WHERE a.id = ANY (v_actions) ORDER BY a.id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM scheduled_actions AS a WHERE a.id = ANY (v_actions) AND a.status = 'sending') THEN
        RAISE EXCEPTION 'a message to this mailbox is on its way' USING ERRCODE = 'object_in_use';
    END IF;
    -- A mail server's report about a message quotes it.
    v_messages := v_messages || ARRAY(
        SELECT m.id FROM inbound_messages AS m
        WHERE m.tenant_id = p_tenant_id AND m.action_id = ANY (v_actions) AND m.id <> ALL (v_messages)
          AND m.kind NOT IN ('reply', 'message', 'own', 'unplaced'));

    WITH cancelled AS (
        UPDATE scheduled_actions AS a SET status = 'cancelled', code = 'forgotten', reason = 'the person is forgotten'
        WHERE a.id = ANY (v_actions) AND a.status IN ('suggested', 'scheduled', 'failed', 'dead')
        RETURNING a.id
    )
    SELECT jsonb_build_object('cancelled', count(*)) INTO v_counts FROM cancelled;

    DELETE FROM forwarded_mail AS f WHERE f.action_id = ANY (v_actions);
    DELETE FROM matter_pauses AS p WHERE p.tenant_id = p_tenant_id AND p.mailbox = v_mailbox;
    WITH actions AS (
        UPDATE scheduled_actions AS a SET
            variables = jsonb_strip_nulls(jsonb_build_object('step', a.variables -> 'step', 'checks', a.variables -> 'checks')),
            contact_id = NULL, recipient = NULL, mailbox = NULL, sent_to = NULL, sent_subject = NULL, sent_body = NULL, sent_hash = NULL,
            last_error = NULL,
            reason = CASE WHEN a.reason IS NOT NULL THEN 'the person is forgotten' END,
            dedupe_key = CASE WHEN a.dedupe_key LIKE '%@%' THEN fingerprint_of(a.dedupe_key) ELSE a.dedupe_key END
        WHERE a.id = ANY (v_actions)
        RETURNING a.id
    ), mails AS (
        UPDATE inbound_messages AS m SET
            from_address = NULL, from_name = NULL, to_addresses = '{}', subject = NULL, text = '', html = NULL, headers = '{}',
            in_reply_to = NULL, reference_ids = '{}', contact_id = NULL
        WHERE m.id = ANY (v_messages)
        RETURNING m.id
    ), failures AS (
        UPDATE delivery_failures AS f SET address = fingerprint_of(v_mailbox), said = NULL
        WHERE f.tenant_id = p_tenant_id AND (folded_mailbox(f.address) = v_mailbox OR f.action_id = ANY (v_actions))
        RETURNING f.id
    ), surveys AS (
        UPDATE feedback_requests AS r SET response_summary = NULL
        WHERE r.tenant_id = p_tenant_id AND r.response_summary IS NOT NULL
          AND (r.contact_id = ANY (v_contacts) OR r.response_email_id = ANY (v_messages))
        RETURNING r.id
    ), activities AS (
        UPDATE quote_activities AS q SET notes = NULL, metadata = q.metadata - 'from'
        WHERE q.tenant_id = p_tenant_id AND q.activity_type = 'response'
          AND q.metadata ->> 'inbound_message_id' = ANY (v_messages::text[])
        RETURNING q.id
    ), signals AS (
        UPDATE opportunity_signals AS s SET extracted_text = NULL, context = '{}'
        WHERE s.tenant_id = p_tenant_id AND (s.contact_id = ANY (v_contacts) OR s.source_id = ANY (v_messages))
        RETURNING s.id
    ), enrichments AS (
        DELETE FROM contact_enrichment_queue AS e
        WHERE e.tenant_id = p_tenant_id AND (e.contact_id = ANY (v_contacts) OR folded_mailbox(e.email_address) = v_mailbox)
        RETURNING e.id
    ), checks AS (
        UPDATE compliance_checks AS c SET entity_name = NULL
        WHERE c.tenant_id = p_tenant_id AND c.entity_type = 'contact' AND c.entity_id = ANY (v_contacts)
        RETURNING c.id
    ), decisions AS (
        UPDATE fleet_decisions AS d SET
            item = CASE d.about WHEN 'suppression' THEN fingerprint_of(v_mailbox) ELSE d.item END,
            before = d.before - 'text' - 'reason', after = d.after - 'text'
        WHERE d.tenant_id = p_tenant_id
          AND (d.about = 'suppression' AND folded_mailbox(d.item) = v_mailbox
               OR d.about = 'action' AND d.item = ANY (v_actions::text[]))
        RETURNING d.id
    ), audited AS (
        UPDATE console_audit AS n SET item = fingerprint_of(v_mailbox)
        WHERE n.tenant_id = p_tenant_id AND folded_mailbox(n.item) = v_mailbox
    ), suppressed AS (
        DELETE FROM suppressions AS s WHERE s.tenant_id = p_tenant_id AND folded_mailbox(s.address) = v_mailbox
    ), answers AS (  -- what the API said within the last day; it may have named him
        DELETE FROM api_answers AS w WHERE w.tenant_id = p_tenant_id
    ), events AS (  -- they name nobody, but the contact's id
        DELETE FROM webhook_deliveries AS w
        WHERE w.tenant_id = p_tenant_id AND w.data ->> 'contact_id' = ANY (v_contacts::text[])
    )
    SELECT v_counts || jsonb_build_object(
        'actions', (SELECT count(*) FROM actions), 'mails', (SELECT count(*) FROM mails),
        'failures', (SELECT count(*) FROM failures), 'surveys', (SELECT count(*) FROM surveys),
        'activities', (SELECT count(*) FROM activities), 'signals', (SELECT count(*) FROM signals),
        'enrichments', (SELECT count(*) FROM enrichments), 'checks', (SELECT count(*) FROM checks),
        'decisions', (SELECT count(*) FROM decisions)) INTO v_counts;

    INSERT INTO suppressions (tenant_id, address, reason, added_by, created_at)
    VALUES (p_tenant_id, fingerprint_of(v_mailbox), 'asked to be forgotten', p_by, fleet_now())
    ON CONFLICT (tenant_id, address) DO NOTHING;
    INSERT INTO fleet_decisions (tenant_id, about, item, decision, after, why, decided_by, decided_at)
    VALUES (p_tenant_id, 'suppression', fingerprint_of(v_mailbox), 'forget', v_counts, p_why, p_by, fleet_now());

    RETURN QUERY
    SELECT c.key, c.value::bigint FROM jsonb_each_text(v_counts) AS c WHERE c.value <> '0'
    ORDER BY array_position('{cancelled, actions, mails, failures, surveys, activities, signals, enrichments, checks, decisions}', c.key);
END
$$;

-- What of a mailbox is in the CRM's own tables, which the fleet leaves to the CRM.
CREATE OR REPLACE FUNCTION known_to_the_crm(p_tenant_id uuid, p_address text) RETURNS TABLE (what text, id uuid)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH known AS (
        SELECT c.contact_id FROM contacts_with_address(p_tenant_id, folded_address(p_address), p_address) AS c
    )
    SELECT 'contact', k.contact_id FROM known AS k
    UNION ALL
    SELECT 'case', c.id FROM cases AS c JOIN known AS k ON k.contact_id = c.contact_id WHERE c.tenant_id = p_tenant_id
$$;

-- Deletes records that nothing needs any more, older than so many days, at least the 400 that the longest report looks
-- back; what is still to be decided stays however old it is. At most p_limit of each kind, the oldest first; returns how
-- many went. Decisions about an action go with it, those about people and settings stay. As the owner of the tables,
-- because the workers may not change decisions.
CREATE OR REPLACE FUNCTION prune_records(p_days integer, p_limit integer) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_before constant timestamptz := fleet_now() - greatest(p_days, 400) * interval '1 day';
    v_pruned bigint;
BEGIN
    WITH actions AS (
        DELETE FROM scheduled_actions AS a
        WHERE a.id IN (SELECT x.id FROM (SELECT o.* FROM scheduled_actions AS o ORDER BY o.id LIMIT 10 * p_limit) AS x
                       WHERE x.created_at < v_before AND coalesce(x.sent_at, x.run_at) < v_before
                         AND x.status NOT IN ('suggested', 'scheduled', 'sending'))
        RETURNING a.tenant_id, a.id
    ), decisions AS (
        DELETE FROM fleet_decisions AS d USING actions AS a
        WHERE d.tenant_id = a.tenant_id AND d.about = 'action' AND d.item = a.id::text
    ), mails AS (
        DELETE FROM inbound_messages AS m
        WHERE m.id IN (SELECT x.id FROM inbound_messages AS x
                       WHERE x.received_at < v_before ORDER BY x.received_at LIMIT p_limit)
        RETURNING m.id
    ), runs AS (
        DELETE FROM engine_runs AS r
        WHERE r.id IN (SELECT x.id FROM (SELECT o.* FROM engine_runs AS o ORDER BY o.id LIMIT p_limit) AS x
                       WHERE x.finished_at < v_before)
        RETURNING r.id
    ), failures AS (
        DELETE FROM delivery_failures AS f
        WHERE f.id IN (SELECT x.id FROM (SELECT o.* FROM delivery_failures AS o ORDER BY o.id LIMIT p_limit) AS x
                       WHERE x.failed_at < v_before)
        RETURNING f.id
    ), faults AS (
        DELETE FROM fleet_faults AS t
        WHERE t.id IN (SELECT x.id FROM (SELECT o.* FROM fleet_faults AS o ORDER BY o.id LIMIT p_limit) AS x
                       WHERE x.noted_at < v_before)
        RETURNING t.id
    ), incidents AS (
        DELETE FROM fleet_incidents AS i
        WHERE i.id IN (SELECT x.id FROM (SELECT o.* FROM fleet_incidents AS o ORDER BY o.id LIMIT p_limit) AS x
                       WHERE x.closed_at < v_before)
        RETURNING i.id
    ), rejects AS (
        DELETE FROM inbound_rejects AS j
        WHERE j.fingerprint IN (SELECT x.fingerprint FROM inbound_rejects AS x WHERE x.received_at < v_before LIMIT p_limit)
        RETURNING j.fingerprint
    ), notes AS (
        DELETE FROM console_audit AS n
        WHERE n.id IN (SELECT x.id FROM (SELECT o.* FROM console_audit AS o ORDER BY o.id LIMIT p_limit) AS x
                       WHERE x.at < v_before)
        RETURNING n.id
    )
    SELECT (SELECT count(*) FROM actions) + (SELECT count(*) FROM mails) + (SELECT count(*) FROM runs)
         + (SELECT count(*) FROM failures) + (SELECT count(*) FROM faults) + (SELECT count(*) FROM incidents) + (SELECT count(*) FROM rejects)
         + (SELECT count(*) FROM notes) INTO v_pruned;
    RETURN v_pruned;
END
$$;

REVOKE ALL ON FUNCTION forget_person(uuid, text, text, text), known_to_the_crm(uuid, text), prune_records(integer, integer)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION forget_person(uuid, text, text, text), known_to_the_crm(uuid, text), prune_records(integer, integer)
    TO service_role;
