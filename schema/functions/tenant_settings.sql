-- Everything that is set per tenant: where it is kept, what it takes, what it means; shown, set and noted here.

-- One line per setting. A setting with a key (an engine, a stage) is there once for each, with the key in its name.
-- pattern: what a value must look like before its table is asked, whose type and rules hold besides; NULL: the operator's to
-- write in SQL, and only shown. docs/reference/settings.md lists the same, and a test compares the two.
CREATE OR REPLACE FUNCTION tenant_setting_list()
RETURNS TABLE (name text, table_name text, column_name text, key_column text, pattern text, takes text, meaning text)
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    VALUES
    ('time_zone', 'tenant_calendar', 'time_zone', NULL, '\S', 'an IANA zone, such as Europe/Berlin',
     'where its days begin and end, its sending window is read and its engines begin; until it is set, these begin by FLEET_TIMEZONE'),
    ('locale', 'tenant_calendar', 'locale', NULL, '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$', 'a locale, such as de-DE',
     'how its people write dates and numbers'),
    ('paused', 'tenant_delivery', 'paused', NULL, '^(yes|no|true|false)$', 'yes or no', 'no mail leaves; it waits'),
    ('window_start', 'tenant_delivery', 'window_start', NULL, '^([01]\d|2[0-3]):[0-5]\d$', 'HH:MM', 'mail leaves from then on'),
    ('window_end', 'tenant_delivery', 'window_end', NULL, '^([01]\d|2[0-3]):[0-5]\d$', 'HH:MM', 'mail leaves before then; empty: until midnight'),
    ('send_days', 'tenant_delivery', 'send_days', NULL, '^[1-7](,[1-7])*$', 'days such as 1,2,3,4,5; 1 is Monday', 'mail leaves on these'),
    ('holidays', 'tenant_delivery', 'holidays', NULL, '^[A-Z]{2}(-[A-Z0-9]{1,3})?$', 'a country or a part of it, such as DE or DE-BY',
     'no mail leaves on its public holidays; empty: none are kept'),
    ('mails_per_day', 'tenant_delivery', 'mails_per_day', NULL, '^\d{1,3}$', 'a number', 'most automatic e-mails to one mailbox in a day'),
    ('mails_per_week', 'tenant_delivery', 'mails_per_week', NULL, '^\d{1,3}$', 'a number', 'most automatic e-mails to one mailbox in seven days'),
    ('from_name', 'tenant_delivery', 'from_name', NULL, '\S', 'a name', 'who its mail comes from; empty: the tenant''s name'),
    ('from_address', 'tenant_delivery', 'from_address', NULL, '^([^<>@]*<)?[^<>@\s]+@[^<>@\s]+>?$', 'an e-mail address',
     'where its mail comes from; empty: FLEET_MAIL_FROM'),
    ('language', 'tenant_letters', 'language', NULL, '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$', 'a language, such as de',
     'of letters to contacts for whom the CRM names none; empty: that of the locale'),
    ('currency', 'tenant_letters', 'currency', NULL, '^[A-Z]{3}$', 'a currency, such as EUR', 'of amounts that name none'),
    ('postal_address', 'tenant_letters', 'postal_address', NULL, '\S', 'lines', 'stands below each letter'),
    ('signature', 'tenant_letters', 'signature', NULL, '\S', 'lines', 'stands below the names of a letter'),
    ('links', 'tenant_letters', 'links', NULL, '^\{.*\}$', 'JSON such as {"quote": "https://crm.example/quotes/{id}"}',
     'where a customer finds what a letter is about'),
    ('share_deal_titles', 'tenant_letters', 'share_deal_titles', NULL, '^(yes|no|true|false)$', 'yes or no', 'customers read a deal''s title'),
    ('suggestion_days', 'tenant_delivery', 'suggestion_days', NULL, '^\d{1,3}$', 'days', 'a suggestion that nobody approved for so long is dropped'),
    ('wrote_since', 'tenant_delivery', 'wrote_since', NULL, '^(contact|client)$', 'contact or client',
     'whose mail holds what is being written to a contact: the own, or anybody''s of the same client'),
    ('forward_replies_to', 'tenant_delivery', 'forward_replies_to', NULL, '^(owner|[^<>@\s,;]+@[^<>@\s,;]+)$', 'an e-mail address, or owner',
     'who gets the answers themselves, beside the task: that address, or whoever is responsible; empty: nobody'),
    ('phone_region', 'tenant_delivery', 'phone_region', NULL, '^[A-Z]{2}$', 'a country code, such as DE',
     'the country of telephone numbers that name none'),
    ('ENGINE.mode', 'engine_settings', 'mode', 'engine', '^(automatic|review|off)$', 'automatic, review or off',
     'whether the engine acts, suggests or rests; empty: as the installation begins'),
    ('ENGINE.cron', 'tenant_timetable', 'cron', 'engine', '\S', 'minute hour day month weekday, such as 0 9 * * 1-5',
     'when the engine begins, by the tenant''s clocks; empty: at the fleet''s hours'),
    ('ENGINE.paused', 'tenant_timetable', 'paused', 'engine', '^(yes|no|true|false)$', 'yes or no',
     'the engine does not begin by itself; what falls due waits'),
    ('deals.max_silence_days', 'tenant_delivery', 'deal_max_silence_days', NULL, '^\d{1,4}$', 'days',
     'a deal that is silent for longer is left to its owner; empty: as the installation says'),
    ('deals.STAGE.max_days_before_stale', 'deal_stage_config', 'max_days_before_stale', 'stage', '^\d{1,4}$', 'days',
     'a deal that is silent for longer counts as stalled'),
    ('deals.STAGE.follow_up_interval_days', 'deal_stage_config', 'follow_up_interval_days', 'stage', '^\d{1,4}$', 'days',
     'how long to wait between follow-ups'),
    ('deals.STAGE.max_follow_ups', 'deal_stage_config', 'max_follow_ups', 'stage', '^\d{1,3}$', 'a number',
     'after so many its owner is told'),
    ('quota.messages', 'tenant_quotas', 'messages', NULL, NULL, 'a number', 'most e-mails in 24 hours'),
    ('quota.recipients', 'tenant_quotas', 'recipients', NULL, NULL, 'a number', 'of these, most to addresses never written to before'),
    ('quota.tasks', 'tenant_quotas', 'tasks', NULL, NULL, 'a number', 'most tasks and cases in 24 hours'),
    ('quota.rows', 'tenant_quotas', 'rows', NULL, NULL, 'a number', 'most rows that its users add to a queue in 24 hours'),
    ('quota.mails', 'tenant_quotas', 'mails', NULL, NULL, 'a number', 'most mails of one sender in 24 hours that are acted on'),
    ('quota.workers', 'tenant_quotas', 'workers', NULL, NULL, 'a number',
     'most workers that are at work for it at a time; empty: as FLEET_CONCURRENCY says'),
    ('quota.items', 'tenant_quotas', 'items', NULL, NULL, 'a number',
     'most due items of an engine that are worked for it in a minute; empty: as FLEET_PER_MINUTE says')
$$;

-- What a column holds where nobody has set it: its default, as text.
CREATE OR REPLACE FUNCTION column_default(p_table text, p_column text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_default text;
BEGIN
    SELECT pg_get_expr(d.adbin, d.adrelid) INTO v_default FROM pg_attrdef AS d
    JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
    WHERE d.adrelid = p_table::regclass AND a.attname = p_column;
    EXECUTE 'SELECT (' || coalesce(v_default, 'NULL') || ')::text' INTO v_default;
    RETURN v_default;
END
$$;

-- A setting's value as people read and write it.
CREATE OR REPLACE FUNCTION setting_text(p_value jsonb, p_takes text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE p_takes
        WHEN 'yes or no' THEN CASE p_value #>> '{}' WHEN 'true' THEN 'yes' WHEN 'false' THEN 'no' END
        WHEN 'HH:MM' THEN left(p_value #>> '{}', 5)
        WHEN 'days such as 1,2,3,4,5; 1 is Monday' THEN translate(p_value #>> '{}', '[]{} ', '')
        ELSE p_value #>> '{}' END
$$;

-- What holds where nobody has set anything.
CREATE OR REPLACE FUNCTION setting_default(p_table text, p_column text) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT to_jsonb(CASE p_table WHEN 'engine_settings' THEN coalesce((SELECT d.mode FROM fleet_defaults AS d), 'review')
                                 ELSE column_default(p_table, p_column) END)
$$;

-- Notes whatever changes in a tenant's settings, whichever way it is written: who, from what to what, and why. A tenant's
-- first stages come with it, nobody sets them. Who is who a command says (fleet.by), whose claim it is, or who logged in.
CREATE OR REPLACE FUNCTION note_setting() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_before constant jsonb := CASE WHEN TG_OP = 'INSERT' THEN '{}' ELSE jsonb_strip_nulls(to_jsonb(OLD)) END;
    v_after constant jsonb := CASE WHEN TG_OP = 'DELETE' THEN '{}' ELSE jsonb_strip_nulls(to_jsonb(NEW)) END;
    v_row constant jsonb := v_before || v_after;
    v_by constant text := coalesce(
        nullif(current_setting('fleet.by', true), ''),
        CASE WHEN v_after ->> 'live_at' IS DISTINCT FROM v_before ->> 'live_at' THEN v_after ->> 'live_by' END,
        (SELECT coalesce(p.email::text, p.id::text) FROM profiles AS p WHERE p.id = claimed_user()));
BEGIN
    IF TG_TABLE_NAME = 'deal_stage_config' AND TG_OP = 'INSERT' AND v_by IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO fleet_decisions (tenant_id, about, item, decision, before, after, why, decided_by, decided_at)
    SELECT t.id, 'setting', replace(replace(l.name, 'ENGINE', k.key), 'STAGE', k.key), 'set', to_jsonb(c.before),
           to_jsonb(c.after), nullif(current_setting('fleet.why', true), ''), coalesce(v_by, session_user), fleet_now()
    FROM tenant_setting_list() AS l
    JOIN tenants AS t ON t.id = (v_row ->> 'tenant_id')::uuid    -- not of one that is just being deleted
    CROSS JOIN LATERAL (SELECT coalesce(v_row ->> l.key_column, '') AS key) AS k
    CROSS JOIN LATERAL (
        SELECT setting_text(coalesce(v_before -> l.column_name, d.value), l.takes) AS before,
               setting_text(coalesce(v_after -> l.column_name, d.value), l.takes) AS after
        FROM (SELECT setting_default(l.table_name, l.column_name) AS value) AS d) AS c
    WHERE l.table_name = TG_TABLE_NAME AND c.before IS DISTINCT FROM c.after;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER calendar_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON tenant_calendar FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER delivery_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON tenant_delivery FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER letters_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON tenant_letters FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER engine_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON engine_settings FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER timetable_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON tenant_timetable FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER stage_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON deal_stage_config FOR EACH ROW EXECUTE FUNCTION note_setting();
CREATE OR REPLACE TRIGGER quota_setting_noted
    AFTER INSERT OR UPDATE OR DELETE ON tenant_quotas FOR EACH ROW EXECUTE FUNCTION note_setting();

-- A tenant's settings as they hold now, in the order of the list; is_set tells those that somebody has set.
CREATE OR REPLACE FUNCTION show_tenant_settings(p_tenant_id uuid) RETURNS TABLE (
    name text, value text, is_set boolean, settable boolean, takes text, meaning text
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_setting record;
    v_key text;
    v_row jsonb;
BEGIN
    FOR v_setting IN SELECT * FROM tenant_setting_list() LOOP
        FOR v_key IN EXECUTE CASE v_setting.key_column
            WHEN 'engine' THEN 'SELECT e.name FROM engines AS e ORDER BY e.name'
            WHEN 'stage' THEN 'SELECT c.stage FROM deal_stage_config AS c WHERE c.tenant_id = $1 ORDER BY c.created_at, c.stage'
            ELSE 'SELECT NULL::text' END USING p_tenant_id
        LOOP
            v_row := NULL;
            EXECUTE format('SELECT to_jsonb(x) FROM %I AS x WHERE x.tenant_id = $1 AND ($2 IS NULL OR to_jsonb(x) ->> $3 = $2)',
                           v_setting.table_name) INTO v_row USING p_tenant_id, v_key, v_setting.key_column;
            name := replace(replace(v_setting.name, 'ENGINE', coalesce(v_key, '')), 'STAGE', coalesce(v_key, ''));
            is_set := v_row ->> v_setting.column_name IS NOT NULL;
            value := CASE
                WHEN is_set THEN setting_text(v_row -> v_setting.column_name, v_setting.takes)
                WHEN v_setting.table_name = 'tenant_quotas' THEN tenant_quota(p_tenant_id, v_setting.column_name)::text
                ELSE setting_text(setting_default(v_setting.table_name, v_setting.column_name), v_setting.takes) END;
            settable := v_setting.pattern IS NOT NULL;
            takes := v_setting.takes;
            meaning := v_setting.meaning;
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;

-- Where a setting of a tenant is kept, by its name: the line of the list, and the key in the name (an engine; a stage, as the
-- tenant's limits spell it, if they do).
CREATE OR REPLACE FUNCTION tenant_setting_named(p_tenant_id uuid, p_name text)
RETURNS TABLE (table_name text, column_name text, key_column text, key text, pattern text, takes text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT l.table_name, l.column_name, l.key_column,
           CASE l.key_column WHEN 'stage' THEN coalesce(
               (SELECT c.stage FROM deal_stage_config AS c
                WHERE c.tenant_id = p_tenant_id AND folded_word(c.stage) = folded_word(n.key) LIMIT 1), n.key)
           ELSE n.key END, l.pattern, l.takes
    FROM tenant_setting_list() AS l
    CROSS JOIN LATERAL (
        SELECT CASE WHEN l.key_column IS NULL AND l.name = p_name THEN ''
                    ELSE substring(p_name FROM '^' || regexp_replace(replace(l.name, '.', '\.'), 'ENGINE|STAGE', '(.+)') || '$') END AS key
    ) AS n
    WHERE n.key IS NOT NULL AND (l.key_column IS DISTINCT FROM 'engine' OR n.key IN (SELECT e.name FROM engines AS e));
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no setting % (`fleet settings show` lists them)', p_name USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

-- Sets a tenant's settings, all of them or none, and returns those that changed; who changed them is noted.
-- p_values: {name: text}; an empty text sets back to what holds where nobody has said anything.
CREATE OR REPLACE FUNCTION set_tenant_settings(p_tenant_id uuid, p_values jsonb, p_by text, p_why text)
RETURNS TABLE (name text, before text, after text)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_before constant jsonb := (SELECT jsonb_object_agg(s.name, s.value) FROM show_tenant_settings(p_tenant_id) AS s);
    v_name text;
    v_value text;
    v_place record;
    v_changes jsonb := '[]';
    v_row record;
    v_rule text;
BEGIN
    PERFORM set_config('fleet.by', p_by, true), set_config('fleet.why', coalesce(p_why, ''), true);  -- for note_setting
    FOR v_name, v_value IN SELECT e.key, btrim(e.value) FROM jsonb_each_text(p_values) AS e LOOP
        SELECT * INTO v_place FROM tenant_setting_named(p_tenant_id, v_name);
        IF v_place.pattern IS NULL THEN
            RAISE EXCEPTION '% is shown here, and is not set here', v_name USING ERRCODE = 'invalid_parameter_value';
        ELSIF v_value <> '' AND v_value !~ v_place.pattern THEN
            RAISE EXCEPTION '% takes %, not "%"', v_name, v_place.takes, v_value USING ERRCODE = 'invalid_parameter_value';
        END IF;
        v_changes := v_changes || (to_jsonb(v_place) || jsonb_build_object('value', v_value));
    END LOOP;

    -- One statement for each row: what must go together, as the ends of a window, is judged together.
    FOR v_row IN
        SELECT c.table_name, c.key_column, c.key, bool_and(c.value = '') AS emptied,
               jsonb_object_agg(c.column_name, CASE WHEN k.atttypid = 'jsonb'::regtype THEN v.value::jsonb ELSE to_jsonb(v.value) END)
               || CASE WHEN c.key_column IS NULL THEN '{}' ELSE jsonb_build_object(c.key_column, c.key) END AS fields
        FROM jsonb_to_recordset(v_changes) AS c (table_name text, column_name text, key_column text, key text, value text)
        JOIN pg_attribute AS k ON k.attrelid = c.table_name::regclass AND k.attname = c.column_name
        CROSS JOIN LATERAL (SELECT CASE WHEN c.value = '' THEN column_default(c.table_name, c.column_name)
                                        WHEN k.attndims > 0 THEN '{' || c.value || '}'
                                        ELSE c.value END AS value) AS v
        GROUP BY c.table_name, c.key_column, c.key
    LOOP
        IF v_row.table_name = 'engine_settings' AND v_row.emptied THEN
            DELETE FROM engine_settings AS e WHERE e.tenant_id = p_tenant_id AND e.engine = v_row.key;
            CONTINUE;
        ELSIF v_row.fields ->> 'mode' = 'automatic' THEN
            v_row.fields := v_row.fields || jsonb_build_object('live_by', p_by, 'live_at', fleet_now());
        END IF;
        BEGIN
            EXECUTE (
                SELECT format('INSERT INTO %1$I (tenant_id, %2$s) SELECT $1, %3$s FROM jsonb_populate_record(NULL::%1$I, $2) AS v'
                              ' ON CONFLICT (%4$s) DO UPDATE SET %5$s',
                              v_row.table_name, string_agg(quote_ident(k), ', '), string_agg('v.' || quote_ident(k), ', '),
                              concat_ws(', ', 'tenant_id', quote_ident(v_row.key_column)),
                              string_agg(format('%1$I = excluded.%1$I', k), ', '))
                FROM jsonb_object_keys(v_row.fields) AS k
            ) USING p_tenant_id, v_row.fields;
        EXCEPTION WHEN check_violation THEN
            GET STACKED DIAGNOSTICS v_name = CONSTRAINT_NAME, v_value = MESSAGE_TEXT;
            SELECT 'this must hold: ' || substr(pg_get_constraintdef(c.oid, true), 7) INTO v_rule FROM pg_constraint AS c
            WHERE c.conrelid = v_row.table_name::regclass AND c.conname = v_name;
            RAISE EXCEPTION '%', coalesce(v_rule, v_value) USING ERRCODE = 'check_violation';
        END;
    END LOOP;

    PERFORM set_config('fleet.by', '', true), set_config('fleet.why', '', true);
    RETURN QUERY
    SELECT s.name, v_before ->> s.name, s.value FROM show_tenant_settings(p_tenant_id) AS s
    WHERE s.value IS DISTINCT FROM v_before ->> s.name;
END
$$;

-- Who changed which setting of a tenant, from what to what and why: the newest first.
CREATE OR REPLACE FUNCTION tenant_setting_history(p_tenant_id uuid, p_limit integer) RETURNS TABLE (
    decided_at timestamptz, name text, before text, after text, decided_by text, why text, total bigint
)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT d.decided_at, d.item, d.before #>> '{}', d.after #>> '{}', d.decided_by, d.why, count(*) OVER ()
    FROM fleet_decisions AS d WHERE d.tenant_id = p_tenant_id AND d.about = 'setting'
    ORDER BY d.id DESC LIMIT p_limit
$$;

REVOKE ALL ON FUNCTION tenant_setting_list(), column_default(text, text), setting_text(jsonb, text),
    setting_default(text, text), note_setting(), show_tenant_settings(uuid), tenant_setting_named(uuid, text),
    set_tenant_settings(uuid, jsonb, text, text), tenant_setting_history(uuid, integer) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION tenant_setting_list(), column_default(text, text), setting_text(jsonb, text),
    setting_default(text, text), show_tenant_settings(uuid), tenant_setting_named(uuid, text),
    set_tenant_settings(uuid, jsonb, text, text), tenant_setting_history(uuid, integer) TO service_role;
