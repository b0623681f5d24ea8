-- Letters: what delivery has to know of an action to word it, and what a reader does who wants no more of them.

-- The texts that a tenant wrote itself, each in its latest version; what was reset is none. Pins no search_path, so that
-- PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION own_templates(p_tenant_id uuid)
RETURNS TABLE (template text, language text, version integer, source text, written_by text, written_at timestamptz)
LANGUAGE sql STABLE ROWS 5
AS $$
    SELECT latest.* FROM (
        SELECT DISTINCT ON (o.template, o.language)
               o.template, o.language, o.version, o.source, o.written_by, o.written_at
        FROM public.tenant_templates AS o WHERE o.tenant_id = p_tenant_id
        ORDER BY o.template, o.language, o.version DESC
    ) AS latest
    WHERE latest.source IS NOT NULL
$$;

-- Keeps a tenant's own version of a text (NULL: the shipped one again) and returns its number.
CREATE OR REPLACE FUNCTION save_template(p_tenant_id uuid, p_template text, p_language text, p_source text, p_by text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_version integer;
BEGIN
    PERFORM FROM tenants AS t WHERE t.id = p_tenant_id FOR NO KEY UPDATE;  -- two writers get two numbers
    INSERT INTO tenant_templates (tenant_id, template, language, version, source, written_by, written_at)
    SELECT p_tenant_id, p_template, p_language, coalesce(max(o.version), 0) + 1, p_source, p_by, fleet_now()
    FROM tenant_templates AS o
    WHERE o.tenant_id = p_tenant_id AND o.template = p_template AND o.language = p_language
    RETURNING version INTO v_version;
    RETURN v_version;
END
$$;

-- The tenant's latest action of a template, to try a text on; NULLs where there was none yet.
CREATE OR REPLACE FUNCTION latest_action_of(p_tenant_id uuid, p_template text)
RETURNS TABLE (action_id bigint, tenant_name text, variables jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT latest.id, t.name::text, latest.variables FROM tenants AS t
    LEFT JOIN LATERAL (
        SELECT a.id, a.variables FROM scheduled_actions AS a
        WHERE a.tenant_id = t.id AND a.template = p_template
        ORDER BY a.id DESC LIMIT 1
    ) AS latest ON true
    WHERE t.id = p_tenant_id
$$;

-- What is known of each of these actions beside what its engine wrote into it.
--   contact_language  as the CRM has it: a tag ("de-AT") or a name ("German")
--   sender_name       whose name stands below the letter
--   link_template     where the reader finds what it is about, see tenant_letters.links
--   own_texts         the tenant's own versions of its template: {language: source}; own_versions: their numbers
--   thread_*          the first message about the same subject that the same address got: what follows answers it
--   subjects          what a task is about, see action_subjects: [{"type", "id", "title", "tenant"}]
CREATE OR REPLACE FUNCTION letter_facts(p_actions bigint[])
RETURNS TABLE (
    action_id bigint, subject_id uuid, contact_language text, tenant_language text, locale text, time_zone text, currency text,
    postal_address text, signature text, link_template text, share_deal_titles boolean, sender_name text,
    own_texts jsonb, thread_message_id text, thread_subject text, subjects jsonb,
    own_versions jsonb
)
LANGUAGE sql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 50
AS $$
    SELECT a.id, a.subject_id,
           CASE WHEN a.kind = 'email' THEN coalesce(
               nullif(btrim(known.contact ->> 'language'), ''), nullif(btrim(known.contact ->> 'preferred_language'), ''),
               nullif(btrim(known.contact ->> 'locale'), ''),
               nullif(btrim(known.contact -> 'attributes' ->> 'language'), '')) END,
           l.language, k.locale, coalesce(k.time_zone, 'UTC'), l.currency, l.postal_address, l.signature,
           l.links ->> a.subject_type, coalesce(l.share_deal_titles, false), nullif(btrim(a.variables ->> 'owner_name'), ''),
           own.texts, first.message_id, first.sent_subject, about.subjects, own.versions
    FROM scheduled_actions AS a
    LEFT JOIN tenant_letters AS l ON l.tenant_id = a.tenant_id
    LEFT JOIN tenant_calendar AS k ON k.tenant_id = a.tenant_id
    LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT to_jsonb(c) AS contact, lower(btrim(coalesce(c.email, a.recipient))) AS address
        OFFSET 0  -- the row is made JSON once
    ) AS known
    LEFT JOIN LATERAL (
        SELECT f.message_id, f.sent_subject FROM scheduled_actions AS f
        WHERE f.subject_id = a.subject_id AND f.subject_type = a.subject_type AND f.tenant_id = a.tenant_id
          AND f.series = a.series
          AND f.kind = 'email' AND f.status = 'sent' AND f.message_id IS NOT NULL AND f.sent_subject IS NOT NULL
          AND lower(btrim(f.sent_to)) = known.address
        ORDER BY f.sent_at, f.id LIMIT 1
    ) AS first ON a.kind = 'email'
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(o.language, o.source) AS texts, jsonb_object_agg(o.language, o.version) AS versions
        FROM own_templates(a.tenant_id) AS o
        WHERE o.template = a.template
    ) AS own ON true
    LEFT JOIN LATERAL (
        SELECT jsonb_agg(jsonb_build_object('type', s.type, 'id', s.id, 'title', s.title, 'tenant', a.tenant_id) ORDER BY s.n) AS subjects
        FROM action_subjects(a) AS s WHERE a.kind <> 'email'
    ) AS about ON true
    WHERE a.id = ANY (p_actions)
$$;

-- Who may end the messages like this one, and what he reads first. No row: there is no such message.
CREATE OR REPLACE FUNCTION opt_out_reader(p_action bigint)
RETURNS TABLE (tenant_name text, address text, contact_language text, tenant_language text, locale text)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT t.name::text, btrim(coalesce(a.sent_to, c.email, a.recipient)), f.contact_language, f.tenant_language, f.locale
    FROM scheduled_actions AS a
    JOIN tenants AS t ON t.id = a.tenant_id
    LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
    CROSS JOIN letter_facts(ARRAY[a.id]) AS f
    WHERE a.id = p_action AND a.kind = 'email'
$$;

-- Somebody used the link in one of our messages: an answer like any other, only that nobody has to read what it asks. It is
-- kept as evidence, its engine ends the series, and heed_answer does the rest. Pressed again within the minute it is the
-- same answer. Returns whether there is such a message.
CREATE OR REPLACE FUNCTION opt_out_by_link(p_action bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_action scheduled_actions;
    v_address text;
    v_message uuid;
BEGIN
    SELECT * INTO v_action FROM scheduled_actions WHERE id = p_action AND kind = 'email';
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    v_address := (SELECT r.address FROM opt_out_reader(p_action) AS r);
    INSERT INTO inbound_messages (
        tenant_id, message_id, in_reply_to, from_address, to_addresses, subject, text, raw_size, kind, contact_id, client_id,
        action_id, sent_at, received_at, processed_at)
    SELECT v_action.tenant_id,
           format('<unsubscribe.%s.%s@link.invalid>', p_action, floor(extract(epoch FROM fleet_now()) / 60)),
           v_action.message_id, v_address, '{}', 'Unsubscribe', 'The unsubscribe link of our message was used.', 0, 'reply',
           k.contact_id, coalesce(k.client_id, l.id), p_action, fleet_now(), fleet_now(), fleet_now()
    FROM (SELECT) AS one
    LEFT JOIN clients AS l ON l.id = v_action.client_id AND l.tenant_id = v_action.tenant_id
    LEFT JOIN LATERAL (
        SELECT c.contact_id, c.client_id
        FROM contacts_with_address(v_action.tenant_id, folded_address(v_address), v_address) AS c (contact_id, client_id, email)
        ORDER BY c.contact_id = v_action.contact_id DESC NULLS LAST LIMIT 1
    ) AS k ON true
    ON CONFLICT ON CONSTRAINT inbound_messages_tenant_id_message_id_key DO NOTHING
    RETURNING id INTO v_message;
    IF v_message IS NOT NULL THEN
        PERFORM apply_reply(v_message, jsonb_build_object(
            'answer', 'opt_out', 'language', 'zxx', 'language_name', NULL, 'sentiment', NULL, 'score', NULL, 'recover', false,
            'issues', '[]'::jsonb, 'summary', 'used the unsubscribe link', 'text', '', 'by_link', true));
    END IF;
    RETURN true;
END
$$;

-- What to try a text of a tenant's on: its latest action of a template, with that letter's facts; NULLs where there was none yet.
CREATE OR REPLACE FUNCTION template_sample(p_tenant_id uuid, p_template text)
RETURNS TABLE (tenant_name text, variables jsonb, letter jsonb)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 1
AS $$
    SELECT l.tenant_name, l.variables, to_jsonb(f) FROM latest_action_of(p_tenant_id, p_template) AS l
    LEFT JOIN LATERAL letter_facts(ARRAY[l.action_id]) AS f ON true
$$;

REVOKE ALL ON FUNCTION own_templates(uuid), save_template(uuid, text, text, text, text), latest_action_of(uuid, text), template_sample(uuid, text),
    letter_facts(bigint[]), opt_out_reader(bigint), opt_out_by_link(bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION own_templates(uuid), save_template(uuid, text, text, text, text), latest_action_of(uuid, text), template_sample(uuid, text),
    letter_facts(bigint[]), opt_out_reader(bigint), opt_out_by_link(bigint) TO service_role;
