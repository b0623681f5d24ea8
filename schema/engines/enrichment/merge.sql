-- Enrichment: the queue of found contact data. What a merge may change is decided in Python (workers.insight.merge);
-- here the rows are claimed and settled. Rows that a provider has to be asked about are in lookups.sql.

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
            SELECT x.id FROM contacts AS x WHERE x.id = q.contact_id AND x.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(x))
            UNION ALL
            (SELECT x.id FROM contacts AS x
             WHERE q.contact_id IS NULL AND x.tenant_id = p_tenant_id AND lower(x.email) = lower(btrim(q.email_address))
               AND NOT is_gone(to_jsonb(x))
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
           c.first_name::text, c.last_name::text, c.email::text, c.title::text, c.phone::text, c.mobile::text,
           c.linkedin_url::text, l.company_name::text
    FROM unnest(v_queue, v_wanted) AS w (queue_id, contact_id)
    JOIN contact_enrichment_queue AS e ON e.id = w.queue_id
    LEFT JOIN contacts AS c ON c.id = w.contact_id
    LEFT JOIN clients AS l ON l.id = c.client_id AND l.tenant_id = p_tenant_id
    ORDER BY e.created_at, e.id;
END
$$;

-- Rows whose contact was found by its address while several contacts have it: whom the data is about, people decide.
CREATE OR REPLACE FUNCTION doubtful_enrichment(p_tenant_id uuid, p_queue uuid[]) RETURNS TABLE (queue_id uuid)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT e.id FROM contact_enrichment_queue AS e
    WHERE e.id = ANY (p_queue) AND e.tenant_id = p_tenant_id AND (e.contact_id IS NULL OR e.source = 'email_signature')
      AND (SELECT count(*) FROM (
               SELECT FROM contacts AS c
               WHERE c.tenant_id = p_tenant_id
                 AND regexp_replace(lower(c.email), '^([^+@]+)\+[^@]*@', '\1@') = folded_mailbox(e.email_address)
                 AND NOT is_gone(to_jsonb(c))
               LIMIT 2) AS sharing) > 1
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

REVOKE ALL ON FUNCTION get_pending_enrichment(uuid, integer), claim_enrichment(uuid, integer),
    doubtful_enrichment(uuid, uuid[]), settle_enrichment(uuid, jsonb) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION get_pending_enrichment(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION claim_enrichment(uuid, integer), doubtful_enrichment(uuid, uuid[]),
    settle_enrichment(uuid, jsonb) TO service_role;
