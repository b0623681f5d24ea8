-- Licences: reminded thirty days before they end.

CREATE TABLE IF NOT EXISTS licences (
    id          uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id   uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    contact_id  uuid NOT NULL,
    product     text NOT NULL,
    ends_on     date NOT NULL,
    reminded_of date,                -- the date of expiry the last reminder spoke of
    sent_at     timestamptz,
    answered_at timestamptz
);
ALTER TABLE licences ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON licences TO service_role;
DROP POLICY IF EXISTS fleet_workers ON licences;
CREATE POLICY fleet_workers ON licences FOR ALL TO service_role USING (true) WITH CHECK (true);

CREATE OR REPLACE VIEW licences_due WITH (security_invoker = true) AS
SELECT l.* FROM licences AS l
WHERE l.ends_on <= fleet_now()::date + 30 AND l.reminded_of IS DISTINCT FROM l.ends_on AND l.answered_at IS NULL;
GRANT SELECT ON licences_due TO service_role;

CREATE OR REPLACE FUNCTION run_licences_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH claimed AS (
        SELECT l.* FROM licences AS l JOIN licences_due AS d ON d.id = l.id
        WHERE l.tenant_id = p_tenant_id AND action_status(p_tenant_id, 'licences') IS NOT NULL
        LIMIT p_limit FOR NO KEY UPDATE OF l SKIP LOCKED
    ), updated AS (
        UPDATE licences AS l SET reminded_of = c.ends_on FROM claimed AS c WHERE l.id = c.id
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, contact_id,
                                       run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'licences', 'email', 'licence_reminder',
               jsonb_build_object('product', c.product, 'ends_on', c.ends_on, 'first_name', p.first_name),
               'licence', c.id, p.id, fleet_now(), action_status(p_tenant_id, 'licences'),
               concat_ws(':', 'licence', c.id, c.ends_on), p_run
        FROM claimed AS c JOIN LATERAL reachable_contact(p_tenant_id, c.contact_id, NULL) AS p ON true
        RETURNING template
    )
    SELECT 'due', 'licence', count(*) FROM claimed
    UNION ALL SELECT 'acted', 'reminded', count(*) FROM written
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template
$$;

CREATE OR REPLACE FUNCTION licences_due_tenants() RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT DISTINCT d.tenant_id FROM licences_due AS d
$$;

CREATE OR REPLACE FUNCTION licences_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT d.tenant_id, count(*) FROM licences_due AS d GROUP BY d.tenant_id
$$;

CREATE OR REPLACE FUNCTION licences_next_due() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT min(l.ends_on - 30)::timestamptz FROM licences AS l WHERE l.ends_on - 30 > fleet_now()::date
$$;

CREATE OR REPLACE FUNCTION licences_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT a.id, CASE WHEN l.id IS NULL THEN 'the licence is gone' ELSE 'the licence was renewed' END
    FROM scheduled_actions AS a
    LEFT JOIN licences AS l ON l.id = a.subject_id AND l.tenant_id = a.tenant_id
    WHERE a.id = ANY (p_actions) AND (l.id IS NULL OR l.ends_on <> l.reminded_of)
$$;

CREATE OR REPLACE FUNCTION licences_settled(p_actions bigint[]) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE licences AS l SET sent_at = a.sent_at FROM scheduled_actions AS a
    WHERE a.id = ANY (p_actions) AND a.status = 'sent' AND l.id = a.subject_id
$$;

CREATE OR REPLACE FUNCTION licences_answered(
    p_message inbound_messages, p_action scheduled_actions, p_judgement jsonb
) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE licences AS l SET answered_at = fleet_now() WHERE l.id = p_action.subject_id;
    SELECT cancel_open_actions(p_action, 'the customer answered')
$$;

CREATE OR REPLACE FUNCTION licences_found(p_tenant_id uuid, p_text text, p_id uuid)
RETURNS TABLE (kind text, tenant_id uuid, item uuid, subject uuid, name text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT 'licence', l.tenant_id, l.id, l.id, l.product FROM licences AS l
    WHERE (l.id = p_id OR p_id IS NULL AND l.product = p_text) AND (p_tenant_id IS NULL OR l.tenant_id = p_tenant_id)
$$;

CREATE OR REPLACE FUNCTION licences_explained(p_tenant_id uuid, p_id uuid) RETURNS TABLE (at timestamptz, tense text, what text)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT l.ends_on::timestamptz, CASE WHEN l.ends_on > fleet_now()::date THEN 'next' ELSE 'past' END, 'the licence ends'
    FROM licences AS l WHERE l.id = p_id AND l.tenant_id = p_tenant_id
$$;

REVOKE ALL ON FUNCTION run_licences_batch(uuid, integer, bigint), licences_due_tenants(), licences_due_count(),
    licences_next_due(), licences_guard(bigint[]), licences_settled(bigint[]),
    licences_answered(inbound_messages, scheduled_actions, jsonb), licences_found(uuid, text, uuid),
    licences_explained(uuid, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION run_licences_batch(uuid, integer, bigint), licences_due_tenants(), licences_due_count(),
    licences_next_due(), licences_guard(bigint[]), licences_settled(bigint[]),
    licences_answered(inbound_messages, scheduled_actions, jsonb), licences_found(uuid, text, uuid),
    licences_explained(uuid, uuid) TO service_role;

SELECT register_engine('licences');
