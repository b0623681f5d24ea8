-- Feedback: ask seven days after delivery, once per order; every refusal keeps its reason.

-- A delivered order is queued in the transaction that delivers it, so none is missed while the fleet is
-- down. SECURITY DEFINER, as all triggers on the CRM's tables: whoever may write the order may do so.
CREATE OR REPLACE FUNCTION queue_feedback_request() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF NEW.delivered_at IS NOT NULL AND NEW.tenant_id IS NOT NULL THEN
        INSERT INTO feedback_requests (tenant_id, order_id, client_id, contact_id, delivery_date, scheduled_for)
        VALUES (NEW.tenant_id, NEW.id, NEW.client_id, NEW.contact_id, NEW.delivered_at, NEW.delivered_at + interval '7 days')
        ON CONFLICT (tenant_id, order_id) DO UPDATE
            SET delivery_date = excluded.delivery_date, scheduled_for = excluded.scheduled_for
            WHERE feedback_requests.status = 'pending'
              AND feedback_requests.delivery_date <> excluded.delivery_date;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER order_delivered
    AFTER INSERT OR UPDATE OF delivered_at ON orders
    FOR EACH ROW EXECUTE FUNCTION queue_feedback_request();

-- Requests whose day has come, longest waiting first.
CREATE OR REPLACE FUNCTION get_feedback_due(p_tenant_id uuid, p_limit integer DEFAULT 20)
RETURNS TABLE (
    request_id uuid, order_id uuid, client_id uuid, contact_id uuid, delivery_date timestamptz, scheduled_for timestamptz
)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET plan_cache_mode = force_generic_plan ROWS 20
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    RETURN QUERY
    SELECT r.id, r.order_id, r.client_id, r.contact_id, r.delivery_date, r.scheduled_for
    FROM feedback_requests AS r
    WHERE r.tenant_id = p_tenant_id AND r.status = 'pending' AND r.scheduled_for <= v_now
    ORDER BY r.scheduled_for
    LIMIT p_limit;
END
$$;

-- One batch of one tenant: claims due requests, decides each, and settles state and outbox together.
-- Returns counts as (measure, label, n) with the measures due, acted, skipped, action, and busy: claimed,
-- but left for a later round because another worker holds the contact.
CREATE OR REPLACE FUNCTION run_feedback_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_status constant text := action_status(p_tenant_id, 'feedback');
    v_claimed uuid[];
    v_contacts uuid[];
    v_expired bigint;
BEGIN
    IF v_status IS NULL THEN
        RETURN;
    END IF;

    WITH expired AS (
        SELECT r.id FROM feedback_requests AS r
        WHERE r.tenant_id = p_tenant_id AND r.status = 'sent' AND r.expires_at <= v_now
        ORDER BY r.expires_at LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE feedback_requests AS r SET status = 'expired' FROM expired AS e WHERE r.id = e.id RETURNING r.id
    )
    SELECT count(*) INTO v_expired FROM updated;

    WITH claimed AS (
        SELECT r.id FROM feedback_requests AS r
        WHERE r.tenant_id = p_tenant_id AND r.status = 'pending' AND r.scheduled_for <= v_now
        ORDER BY r.scheduled_for LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT array_agg(c.id) INTO v_claimed FROM claimed AS c;

    -- "Asked in the last 30 days" is a fact about the contact, so the contact is locked too: two workers
    -- with two orders of one contact must not both find that nobody asked. Whoever comes second leaves
    -- the request for the next round. The lock is taken before the statement below takes its snapshot.
    WITH wanted AS (
        SELECT DISTINCT coalesce(direct.id, fallback.id) AS id
        FROM feedback_requests AS r
        LEFT JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = p_tenant_id
        LEFT JOIN contacts AS direct ON direct.id = coalesce(o.contact_id, r.contact_id)
            AND direct.tenant_id = p_tenant_id AND btrim(direct.email) <> ''
        LEFT JOIN LATERAL (
            SELECT c.id FROM contacts AS c
            WHERE direct.id IS NULL AND c.client_id = r.client_id AND c.tenant_id = p_tenant_id
              AND c.is_primary AND c.email IS NOT NULL AND btrim(c.email) <> ''
            LIMIT 1
        ) AS fallback ON true
        WHERE r.id = ANY (v_claimed)
    ), locked AS (
        SELECT c.id FROM contacts AS c JOIN wanted AS w ON w.id = c.id
        ORDER BY c.id
        FOR NO KEY UPDATE OF c SKIP LOCKED
    )
    SELECT coalesce(array_agg(l.id), '{}') INTO v_contacts FROM locked AS l;

    RETURN QUERY
    WITH resolved AS (
        SELECT r.id, r.client_id, r.scheduled_for, o.order_number, o.status AS order_status, o.delivered_at,
               coalesce(direct.id, fallback.id) AS contact_id,
               coalesce(direct.first_name, fallback.first_name) AS first_name,
               EXISTS (SELECT FROM cases AS k WHERE k.order_id = r.order_id AND k.tenant_id = p_tenant_id
                       AND k.status NOT IN ('closed', 'resolved', 'cancelled')) AS has_open_case
        FROM feedback_requests AS r
        LEFT JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = p_tenant_id
        LEFT JOIN contacts AS direct ON direct.id = coalesce(o.contact_id, r.contact_id)
            AND direct.tenant_id = p_tenant_id AND btrim(direct.email) <> ''
        LEFT JOIN LATERAL (
            SELECT c.id, c.first_name FROM contacts AS c
            WHERE direct.id IS NULL AND c.client_id = r.client_id AND c.tenant_id = p_tenant_id
              AND c.is_primary AND c.email IS NOT NULL AND btrim(c.email) <> ''
            LIMIT 1
        ) AS fallback ON true
        WHERE r.id = ANY (v_claimed)
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN s.has_open_case THEN 'open case on the order'
                   WHEN s.delivered_at IS NULL OR s.order_status IN ('cancelled', 'returned', 'refunded')
                       THEN 'order is no longer delivered'
                   WHEN s.delivered_at < v_now - interval '60 days' THEN 'delivered more than 60 days ago'
                   WHEN s.contact_id IS NULL THEN 'no contact with an address'
                   WHEN EXISTS (SELECT FROM feedback_requests AS x
                                WHERE x.contact_id = s.contact_id AND x.tenant_id = p_tenant_id AND x.sent_at > v_now - interval '30 days')
                       THEN 'contact was asked in the last 30 days'
               END AS refusal
        FROM resolved AS s
        WHERE s.contact_id IS NULL OR s.contact_id = ANY (v_contacts)
    ), decided AS (
        -- Of several orders of one contact in this very batch only the first is asked about.
        SELECT j.*,
               CASE WHEN j.refusal IS NULL AND row_number() OVER (
                        PARTITION BY j.contact_id, j.refusal IS NULL ORDER BY j.scheduled_for, j.id) > 1
                    THEN 'contact was asked in the last 30 days' ELSE j.refusal END AS reason
        FROM judged AS j
    ), updated AS (
        UPDATE feedback_requests AS r SET
            status = CASE WHEN d.reason IS NULL THEN 'sent' ELSE 'skipped' END,
            skip_reason = d.reason,
            has_open_case = d.has_open_case,
            contact_id = coalesce(d.contact_id, r.contact_id),
            sent_at = CASE WHEN d.reason IS NULL THEN v_now END,
            expires_at = CASE WHEN d.reason IS NULL THEN v_now + interval '30 days' END
        FROM decided AS d WHERE r.id = d.id
        RETURNING r.id
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'feedback', 'email', 'feedback_request',
               jsonb_build_object('order_number', d.order_number, 'first_name', d.first_name,
                                  'delivered_on', to_char(d.delivered_at, 'FMDD FMMonth')),
               'feedback_request', d.id, d.client_id, d.contact_id, v_now, v_status,
               'feedback:' || d.id, p_run
        FROM decided AS d WHERE d.reason IS NULL
        ON CONFLICT (tenant_id, dedupe_key) DO NOTHING
        RETURNING template
    )
    SELECT 'due', 'request', count(*) FROM decided
    UNION ALL SELECT 'due', 'expiry', v_expired
    UNION ALL SELECT 'busy', 'request', coalesce(cardinality(v_claimed), 0) - count(*) FROM decided
    UNION ALL SELECT 'acted', 'expired', v_expired
    UNION ALL SELECT 'acted', 'asked', count(*) FROM decided WHERE reason IS NULL
    UNION ALL SELECT 'skipped', d.reason, count(*) FROM decided AS d WHERE d.reason IS NOT NULL GROUP BY d.reason
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

-- A request whose message did not get out was not asked: it is skipped with the message's reason, and counts
-- neither as asked nor as unanswered. A message that an operator tries again makes it wait for an answer again.
CREATE OR REPLACE FUNCTION follow_feedback_message() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    IF NEW.status = 'scheduled' THEN
        UPDATE feedback_requests SET status = 'sent', skip_reason = NULL, sent_at = v_now, expires_at = v_now + interval '30 days'
        WHERE id = NEW.subject_id AND tenant_id = NEW.tenant_id AND status = 'skipped';
    ELSE
        UPDATE feedback_requests SET status = 'skipped', skip_reason = coalesce(NEW.reason, NEW.last_error, NEW.status),
                                     sent_at = NULL, expires_at = NULL
        WHERE id = NEW.subject_id AND tenant_id = NEW.tenant_id AND status = 'sent';
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER feedback_message_ended
    AFTER UPDATE OF status ON scheduled_actions
    FOR EACH ROW WHEN (
        NEW.subject_type = 'feedback_request' AND NEW.kind = 'email' AND NEW.status <> OLD.status
        AND (NEW.status IN ('skipped', 'failed', 'dead', 'cancelled')
             OR NEW.status = 'scheduled' AND OLD.status IN ('failed', 'dead')))
    EXECUTE FUNCTION follow_feedback_message();

REVOKE ALL ON FUNCTION queue_feedback_request(), follow_feedback_message(), get_feedback_due(uuid, integer),
    run_feedback_batch(uuid, integer, bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION get_feedback_due(uuid, integer) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION queue_feedback_request(), run_feedback_batch(uuid, integer, bigint) TO service_role;
