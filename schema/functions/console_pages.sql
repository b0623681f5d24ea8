-- What the console's pages read and decide: the functions of the command line, for whoever asks. Each asks console_tenant
-- first and then reads with its owner's rights, that tenant's rows only. Rows are jsonb: their columns are written down
-- where they are made.

-- A filter of find_actions, held to a tenant (NULL: any).
CREATE OR REPLACE FUNCTION filter_within(p_tenant_id uuid, p_filter jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE WHEN p_tenant_id IS NULL THEN p_filter ELSE p_filter || jsonb_build_object('tenant', p_tenant_id) END
$$;

-- The newest actions of a filter, each with what its letter rests on.
CREATE OR REPLACE FUNCTION console_actions(p_tenant_id uuid, p_filter jsonb, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_filter constant jsonb := filter_within(console_tenant(p_tenant_id, 'reader'), p_filter) || jsonb_build_object('newest', p_limit);
BEGIN
    RETURN QUERY
    WITH listed AS MATERIALIZED (SELECT * FROM list_actions(v_filter, p_limit))
    SELECT to_jsonb(l) || jsonb_build_object('letter', to_jsonb(f)) FROM listed AS l
    JOIN letter_facts(ARRAY(SELECT x.action_id FROM listed AS x)) AS f ON f.action_id = l.action_id
    ORDER BY l.action_id DESC;
END
$$;

-- How many actions a filter lets through, counted up to p_most and not beyond.
CREATE OR REPLACE FUNCTION console_action_count(p_tenant_id uuid, p_filter jsonb, p_most integer) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN (SELECT count(*) FROM find_actions(
        filter_within(console_tenant(p_tenant_id, 'reader'), p_filter) || jsonb_build_object('most', p_most)));
END
$$;

CREATE OR REPLACE FUNCTION console_action_history(p_tenant_id uuid, p_action bigint) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT to_jsonb(h) FROM find_actions(filter_within(
        console_tenant(p_tenant_id, 'reader'), jsonb_build_object('ids', ARRAY[p_action]))) AS f
    CROSS JOIN LATERAL action_history(f) WITH ORDINALITY AS h (at, what, who, why, n) ORDER BY h.n;
END
$$;

-- The ids that a decision about a filter is about: without ids and a status, those that it is possible for.
CREATE OR REPLACE FUNCTION console_chosen(p_tenant_id uuid, p_filter jsonb, p_decision text, p_most integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_filter jsonb := filter_within(console_tenant(p_tenant_id, 'agent'), p_filter) || jsonb_build_object('newest', p_most);
BEGIN
    IF NOT v_filter ?| '{ids, status}' THEN
        v_filter := v_filter || jsonb_build_object('status', decidable_statuses(p_decision));
    END IF;
    RETURN ARRAY(SELECT f FROM find_actions(v_filter) AS f ORDER BY f);
END
$$;

CREATE OR REPLACE FUNCTION console_preview(p_tenant_id uuid, p_ids bigint[], p_decision text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_ids constant bigint[] := console_chosen(p_tenant_id, jsonb_build_object('ids', p_ids), p_decision, cardinality(p_ids));
BEGIN
    RETURN (SELECT to_jsonb(d) FROM preview_decision(v_ids, p_decision) AS d);
END
$$;

CREATE OR REPLACE FUNCTION console_decide(p_tenant_id uuid, p_ids bigint[], p_decision text, p_by text, p_why text) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT decide_actions(
        console_chosen(p_tenant_id, jsonb_build_object('ids', p_ids), p_decision, cardinality(p_ids)),
        p_decision, console_who(p_by), p_why);
END
$$;

CREATE OR REPLACE FUNCTION console_edit(
    p_tenant_id uuid, p_ids bigint[], p_edited jsonb, p_run_at timestamptz, p_by text, p_why text
) RETURNS SETOF bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT edit_actions(
        console_chosen(p_tenant_id, jsonb_build_object('ids', p_ids), 'edit', cardinality(p_ids)),
        p_edited, p_run_at, console_who(p_by), p_why);
END
$$;

-- Per engine: how it works for the tenant, its last run, and what became of the actions of the last seven days, of which the
-- newest 5,000 are looked at.
CREATE OR REPLACE FUNCTION console_today(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    WITH recent AS MATERIALIZED (
        SELECT a.engine, a.status, a.run_at, coalesce(a.reason, a.status) AS reason FROM scheduled_actions AS a
        WHERE a.id IN (SELECT find_actions(filter_within(v_tenant, '{"newest": 5000}')))
          AND (a.status IN ('scheduled', 'sending', 'suggested') OR coalesce(a.sent_at, a.run_at) > fleet_now() - interval '7 days')
    ), counted AS (
        SELECT r.engine, count(*) FILTER (WHERE r.status = 'sent') AS done,
               count(*) FILTER (WHERE r.status IN ('skipped', 'cancelled')) AS refused,
               count(*) FILTER (WHERE r.status IN ('scheduled', 'sending')) AS waiting,
               count(*) FILTER (WHERE r.status = 'suggested') AS suggested,
               count(*) FILTER (WHERE r.status IN ('failed', 'dead')) AS failed,
               min(r.run_at) FILTER (WHERE r.status = 'scheduled') AS next_at
        FROM recent AS r GROUP BY r.engine
    ), reasons AS (
        SELECT g.engine, jsonb_agg(jsonb_build_object('reason', g.reason, 'n', g.n) ORDER BY g.n DESC, g.reason) AS list
        FROM (SELECT r.engine, r.reason, count(*) AS n, row_number() OVER (PARTITION BY r.engine ORDER BY count(*) DESC, r.reason) AS place
              FROM recent AS r WHERE r.status IN ('skipped', 'cancelled') GROUP BY r.engine, r.reason) AS g
        WHERE g.place <= 5 GROUP BY g.engine
    )
    SELECT jsonb_build_object(
        'engine', e.name, 'mode', CASE WHEN v_tenant IS NOT NULL THEN engine_mode(v_tenant, e.name) END,
        'stopped', (SELECT s.reason FROM operator_stops AS s
                    WHERE s.tenant_id = v_tenant AND (s.engine IS NULL OR s.engine = e.name) LIMIT 1),
        'started_at', l.started_at, 'run_status', l.status, 'run_failures', l.failures,
        'done', coalesce(c.done, 0), 'refused', coalesce(c.refused, 0), 'waiting', coalesce(c.waiting, 0),
        'suggested', coalesce(c.suggested, 0), 'failed', coalesce(c.failed, 0), 'next_at', c.next_at,
        'reasons', coalesce(r.list, '[]'))
    FROM engines AS e
    LEFT JOIN counted AS c ON c.engine = e.name
    LEFT JOIN reasons AS r ON r.engine = e.name
    LEFT JOIN LATERAL (
        SELECT x.started_at, x.status,
               (SELECT count(*) FROM jsonb_array_elements(x.failures) AS f
                WHERE v_tenant IS NULL OR f ->> 'tenant_id' = v_tenant::text) AS failures
        FROM engine_runs AS x WHERE x.engine = e.name AND x.started_at IS NOT NULL ORDER BY x.id DESC LIMIT 1
    ) AS l ON true
    ORDER BY e.name;
END
$$;

-- Answers of the last fourteen days that nobody has dealt with, the oldest first.
CREATE OR REPLACE FUNCTION console_answers(p_tenant_id uuid, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object('id', m.id, 'tenant_name', t.name, 'from_address', m.from_address, 'from_name', m.from_name,
                              'subject', m.subject, 'received_at', m.received_at, 'answer', m.answer, 'action_id', m.action_id,
                              'text', left(m.text, 600))
    FROM tenants AS t
    JOIN inbound_messages AS m ON m.tenant_id = t.id
    WHERE (v_tenant IS NULL OR t.id = v_tenant) AND m.kind IN ('reply', 'message', 'unplaced')
      AND m.received_at > fleet_now() - interval '14 days'
      AND NOT EXISTS (SELECT FROM console_audit AS a
                      WHERE a.tenant_id = m.tenant_id AND a.what = 'deals with an answer' AND a.item = m.id::text)
    ORDER BY m.received_at LIMIT p_limit;
END
$$;

-- Notes that a person has dealt with an answer. False: there is none of that id.
CREATE OR REPLACE FUNCTION console_settle_answer(p_tenant_id uuid, p_message uuid, p_session bigint, p_by text, p_origin text) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'agent');
BEGIN
    PERFORM note_console(m.tenant_id, p_session, console_who(p_by), 'deals with an answer', m.id::text, p_origin)
    FROM inbound_messages AS m WHERE m.id = p_message AND (v_tenant IS NULL OR m.tenant_id = v_tenant);
    RETURN FOUND;
END
$$;

-- What else wants a person, in groups of its kind, the oldest first: actions to approve or to try again, work that is
-- refused until somebody mends it, and found data that contradicts the CRM's.
CREATE OR REPLACE FUNCTION console_waiting(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(w) FROM (
        SELECT a.status AS kind, t.id AS tenant_id, t.name::text AS tenant_name, a.engine, a.template AS what, count(*) AS n,
               min(a.created_at) AS since, max(a.last_error) AS error
        FROM tenants AS t
        JOIN scheduled_actions AS a ON a.tenant_id = t.id AND a.status IN ('suggested', 'failed', 'dead')
        WHERE v_tenant IS NULL OR t.id = v_tenant
        GROUP BY t.id, t.name, a.engine, a.template, a.status
        UNION ALL
        SELECT 'refused', r.tenant_id, r.tenant_name, r.engine, min(r.what), count(*), min(r.since), r.error
        FROM refused_work(v_tenant) AS r GROUP BY r.tenant_id, r.tenant_name, r.engine, r.error
        UNION ALL
        SELECT 'conflict', v_tenant, c.tenant_name::text, 'enrichment', NULL, count(*), min(c.found_at), NULL
        FROM list_conflicts(v_tenant, 1000) AS c GROUP BY c.tenant_name
    ) AS w
    ORDER BY w.since NULLS FIRST LIMIT 200;
END
$$;

CREATE OR REPLACE FUNCTION console_conflicts(p_tenant_id uuid, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT to_jsonb(c) FROM list_conflicts(console_tenant(p_tenant_id, 'reader'), p_limit) AS c;
END
$$;

-- Accepts or rejects a conflict; returns what stands in the way, NULL if nothing does.
CREATE OR REPLACE FUNCTION console_decide_conflict(p_tenant_id uuid, p_queue uuid, p_field text, p_decision text, p_by text) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'agent');
BEGIN
    PERFORM FROM contact_enrichment_queue AS q WHERE q.id = p_queue AND (v_tenant IS NULL OR q.tenant_id = v_tenant);
    IF NOT FOUND THEN
        RETURN 'there is no such conflict';
    END IF;
    RETURN decide_conflict(p_queue, p_field, p_decision, console_who(p_by));
END
$$;

CREATE OR REPLACE FUNCTION console_found(p_tenant_id uuid, p_text text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT to_jsonb(f) FROM explain_find(console_tenant(p_tenant_id, 'reader'), p_text) AS f LIMIT 50;
END
$$;

-- The explanation of something that console_found gave for the same tenant.
CREATE OR REPLACE FUNCTION console_explained(p_tenant_id uuid, p_engine text, p_item text, p_subject uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT to_jsonb(s) FROM explain_item(p_engine, console_tenant(p_tenant_id, 'reader'), p_item, p_subject)
        WITH ORDINALITY AS s (at, tense, what, n) ORDER BY s.n;
END
$$;

-- The newest runs of an id, engine, status or time, see list_runs. A tenant's people see when they were and what failed for
-- their own tenant; how much there was of everybody's is the operator's business.
CREATE OR REPLACE FUNCTION console_runs(
    p_tenant_id uuid, p_run bigint, p_engine text, p_status text, p_since timestamptz, p_until timestamptz, p_limit integer
) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT CASE WHEN may_act_for(NULL) THEN to_jsonb(r)
                ELSE to_jsonb(r) - '{tenants, due, acted, actions, skipped, worker, cancelled_by, cancelled_why, total}'::text[]
                     || jsonb_build_object('failures', (
                         SELECT coalesce(jsonb_agg(f), '[]') FROM jsonb_array_elements(r.failures) AS f
                         WHERE f ->> 'tenant_id' = v_tenant::text)) END
    FROM list_runs(p_run, p_engine, p_status, p_since, p_until, p_limit) AS r ORDER BY r.run_id DESC;
END
$$;

-- A tenant's settings. Its own people set what they may write by themselves; the rest is the operator's.
CREATE OR REPLACE FUNCTION console_settings(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(s) || jsonb_build_object('settable', s.settable AND (may_act_for(NULL) OR EXISTS (
        SELECT FROM tenant_setting_named(v_tenant, s.name) AS n
        WHERE has_column_privilege('authenticated', n.table_name, n.column_name, 'UPDATE'))))
    FROM show_tenant_settings(v_tenant) WITH ORDINALITY AS s (name, value, is_set, settable, takes, meaning, n) ORDER BY s.n;
END
$$;

CREATE OR REPLACE FUNCTION console_set_settings(p_tenant_id uuid, p_values jsonb, p_by text, p_why text) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'manager');
    v_name text;
BEGIN
    SELECT k.name INTO v_name FROM jsonb_object_keys(p_values) AS k (name)
    CROSS JOIN LATERAL tenant_setting_named(v_tenant, k.name) AS n
    WHERE NOT may_act_for(NULL) AND NOT has_column_privilege('authenticated', n.table_name, n.column_name, 'UPDATE');
    IF FOUND THEN
        RAISE EXCEPTION '% is the operator''s to set', v_name USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY SELECT to_jsonb(s) FROM set_tenant_settings(v_tenant, p_values, console_who(p_by), p_why) AS s;
END
$$;

CREATE OR REPLACE FUNCTION console_setting_history(p_tenant_id uuid, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT to_jsonb(h) FROM tenant_setting_history(console_tenant(p_tenant_id, 'reader'), p_limit) AS h ORDER BY h.decided_at DESC;
END
$$;

CREATE OR REPLACE FUNCTION console_suppressions(p_tenant_id uuid, p_address text, p_limit integer) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT to_jsonb(s) FROM list_suppressions(console_tenant(p_tenant_id, 'reader'), NULL, p_address, p_limit) AS s
    ORDER BY s.created_at DESC, s.address;
END
$$;

CREATE OR REPLACE FUNCTION console_suppress(p_tenant_id uuid, p_address text, p_by text, p_why text) RETURNS SETOF jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT to_jsonb(s) FROM add_suppression(console_tenant(p_tenant_id, 'agent'), p_address, NULL, console_who(p_by), p_why) AS s;
END
$$;

CREATE OR REPLACE FUNCTION console_unsuppress(p_tenant_id uuid, p_address text, p_by text, p_why text) RETURNS SETOF text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT remove_suppression(console_tenant(p_tenant_id, 'manager'), p_address, NULL, console_who(p_by), p_why);
END
$$;

-- The words that a tenant explained itself (with a meaning), and those that nobody knows (without one, and n rows wait).
CREATE OR REPLACE FUNCTION console_words(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT to_jsonb(u) FROM unknown_words_of(v_tenant) AS u
    UNION ALL
    SELECT to_jsonb(w) FROM list_words(v_tenant) AS w;
END
$$;

CREATE OR REPLACE FUNCTION console_set_word(p_tenant_id uuid, p_kind text, p_word text, p_meaning text, p_by text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM set_word(console_tenant(p_tenant_id, 'manager'), p_kind, p_word, p_meaning, console_who(p_by));
END
$$;

DO $$
DECLARE
    v_function regprocedure;
BEGIN
    FOR v_function IN
        SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace AND p.prosecdef AND p.proname IN (
            'console_actions', 'console_action_count', 'console_action_history', 'console_chosen', 'console_preview',
            'console_decide', 'console_edit', 'console_today', 'console_answers', 'console_settle_answer', 'console_waiting',
            'console_conflicts', 'console_decide_conflict', 'console_found', 'console_explained', 'console_runs',
            'console_settings', 'console_set_settings', 'console_setting_history', 'console_suppressions',
            'console_suppress', 'console_unsuppress', 'console_words', 'console_set_word')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC, anon', v_function);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO authenticated, service_role', v_function);
    END LOOP;
END
$$;
REVOKE ALL ON FUNCTION filter_within(uuid, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION filter_within(uuid, jsonb) TO service_role;
