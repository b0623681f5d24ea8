-- The texts of a tenant at the console: those of its own, what they are tried on, and their versions. As in
-- console_pages.sql each function asks console_tenant first.

-- The tenant's own texts in force, without what they say.
CREATE OR REPLACE FUNCTION console_templates(p_tenant_id uuid) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT to_jsonb(o) - 'source' FROM own_templates(console_tenant(p_tenant_id, 'reader')) AS o;
END
$$;

-- Every version of one text, the newest first; one without a source put the shipped text in force again.
CREATE OR REPLACE FUNCTION console_template_versions(p_tenant_id uuid, p_template text, p_language text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_tenant constant uuid := console_tenant(p_tenant_id, 'reader');
BEGIN
    RETURN QUERY
    SELECT jsonb_build_object('version', o.version, 'source', o.source, 'written_by', o.written_by, 'written_at', o.written_at)
    FROM tenant_templates AS o
    WHERE o.tenant_id = v_tenant AND o.template = p_template AND o.language = p_language
    ORDER BY o.version DESC;
END
$$;

CREATE OR REPLACE FUNCTION console_template_sample(p_tenant_id uuid, p_template text) RETURNS SETOF jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY SELECT to_jsonb(s) FROM template_sample(console_tenant(p_tenant_id, 'reader'), p_template) AS s;
END
$$;

-- Keeps a version (NULL: the shipped text again) and returns its number. Whether it can be used is tried before.
CREATE OR REPLACE FUNCTION console_save_template(p_tenant_id uuid, p_template text, p_language text, p_source text, p_by text)
RETURNS integer
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN save_template(console_tenant(p_tenant_id, 'manager'), p_template, p_language, p_source, console_who(p_by));
END
$$;

REVOKE ALL ON FUNCTION console_templates(uuid), console_template_versions(uuid, text, text), console_template_sample(uuid, text),
    console_save_template(uuid, text, text, text, text) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION console_templates(uuid), console_template_versions(uuid, text, text), console_template_sample(uuid, text),
    console_save_template(uuid, text, text, text, text) TO authenticated, service_role;
