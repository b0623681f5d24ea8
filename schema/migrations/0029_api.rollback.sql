-- Policies of tables that stay ask for the caller's tenant: from now on of a person's alone.
DO $rollback$
BEGIN
    IF to_regprocedure('current_tenant_id()') IS NOT NULL THEN
        CREATE OR REPLACE FUNCTION current_tenant_id() RETURNS uuid
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
        AS $$
            SELECT p.tenant_id FROM profiles AS p WHERE p.id = claimed_user()
        $$;
    END IF;
END
$rollback$;
DROP TABLE IF EXISTS api_answers;
DROP TABLE IF EXISTS api_tokens;
