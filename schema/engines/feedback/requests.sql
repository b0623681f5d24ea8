-- Feedback: ask seven days after delivery, once per order; every refusal keeps its reason.

-- A delivered order is queued in the transaction that delivers it, so none is missed while the fleet is
-- down. As all triggers on the CRM's tables it is SECURITY DEFINER, because whoever may write the order may do so, and
-- raises nothing: what goes wrong is noted, and the CRM's row is written.
CREATE OR REPLACE FUNCTION queue_feedback_request() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO feedback_requests (tenant_id, order_id, client_id, contact_id, delivery_date, scheduled_for)
    -- A client or contact of another tenant is none, as is one that does not exist.
    SELECT t.id, NEW.id,
           (SELECT c.id FROM clients AS c WHERE c.id = NEW.client_id AND c.tenant_id = NEW.tenant_id),
           (SELECT c.id FROM contacts AS c WHERE c.id = NEW.contact_id AND c.tenant_id = NEW.tenant_id),
           NEW.delivered_at, NEW.delivered_at + interval '7 days'
    FROM tenants AS t WHERE t.id = NEW.tenant_id
    ON CONFLICT (tenant_id, order_id) DO UPDATE
        SET delivery_date = excluded.delivery_date, scheduled_for = excluded.scheduled_for, status = 'pending',
            skip_reason = NULL, client_id = excluded.client_id, contact_id = excluded.contact_id
        -- What was undone and is delivered again is asked about again.
        WHERE feedback_requests.status = 'pending' AND feedback_requests.delivery_date <> excluded.delivery_date
           OR feedback_requests.status = 'skipped' AND feedback_requests.skip_reason = 'order is no longer delivered';
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    PERFORM note_fault('queue_feedback_request', 'orders', NEW.id::text, SQLSTATE, SQLERRM);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER order_delivered
    AFTER INSERT ON orders
    FOR EACH ROW WHEN (NEW.delivered_at IS NOT NULL) EXECUTE FUNCTION queue_feedback_request();

-- What has changed is asked, not which columns the statement names: a CRM's own trigger may set others.
CREATE OR REPLACE TRIGGER order_delivery_changed
    AFTER UPDATE ON orders
    FOR EACH ROW WHEN (NEW.delivered_at IS NOT NULL AND (NEW.delivered_at, NEW.status) IS DISTINCT FROM (OLD.delivered_at, OLD.status))
    EXECUTE FUNCTION queue_feedback_request();

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

-- One batch of one tenant: expires, claims what is due, and takes the next step with it. Returns counts as (measure, label,
-- n) with the measures due, acted, skipped, action, and busy: claimed, but left for a later round because another worker
-- holds the contact.
CREATE OR REPLACE FUNCTION run_feedback_batch(p_tenant_id uuid, p_limit integer, p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_claimed uuid[];
    v_wanted uuid[];
    v_contacts uuid[];
    v_free uuid[];
    v_unknown uuid[];
BEGIN
    IF action_status(p_tenant_id, 'feedback') IS NULL THEN
        RETURN;
    END IF;

    RETURN QUERY
    WITH expired AS (
        SELECT r.id FROM feedback_requests AS r
        WHERE r.tenant_id = p_tenant_id AND r.status = 'sent' AND r.expires_at <= v_now
        ORDER BY r.expires_at LIMIT p_limit
        FOR NO KEY UPDATE SKIP LOCKED
    ), updated AS (
        UPDATE feedback_requests AS r SET status = 'expired' FROM expired AS e WHERE r.id = e.id RETURNING r.id
    )
    SELECT 'due', 'expiry', count(*) FROM updated
    UNION ALL SELECT 'acted', 'expired', count(*) FROM updated;

    WITH claimed AS MATERIALIZED (
        SELECT r.id, r.order_id, r.contact_id, r.client_id FROM feedback_requests AS r
        WHERE r.tenant_id = p_tenant_id AND r.status = 'pending' AND r.scheduled_for <= v_now
          AND NOT EXISTS (SELECT FROM items_resting AS x
                          WHERE x.item_id = r.id AND x.engine = 'feedback' AND x.tenant_id = p_tenant_id)
        ORDER BY r.scheduled_for LIMIT p_limit
        FOR NO KEY UPDATE OF r SKIP LOCKED
    )
    SELECT array_agg(c.id), array_agg(p.id) INTO v_claimed, v_wanted
    FROM claimed AS c
    LEFT JOIN orders AS o ON o.id = c.order_id AND o.tenant_id = p_tenant_id
    LEFT JOIN LATERAL reachable_contact(
        p_tenant_id, coalesce(o.contact_id, c.contact_id), coalesce(o.client_id, c.client_id)) AS p ON true;

    -- "Asked in the last 30 days" is a fact about the contact, so the contact is locked too: two workers
    -- with two orders of one contact must not both find that nobody asked. Whoever comes second leaves
    -- the request for the next round. The lock is taken before the step takes its snapshot.
    WITH locked AS (
        SELECT c.id FROM contacts AS c WHERE c.id = ANY (v_wanted)
        ORDER BY c.id
        FOR NO KEY UPDATE SKIP LOCKED
    )
    SELECT array_agg(l.id) INTO v_contacts FROM locked AS l;
    v_free := ARRAY(SELECT w.request_id FROM unnest(v_claimed, v_wanted) AS w (request_id, contact_id)
                    WHERE w.contact_id IS NULL OR w.contact_id = ANY (v_contacts));

    RETURN QUERY SELECT 'busy', 'request', (coalesce(cardinality(v_claimed), 0) - cardinality(v_free))::bigint;

    -- A word that nobody knows is never acted on: its requests wait, and say for what.
    WITH unknown AS MATERIALIZED (
        SELECT r.id, min(w.words) AS words FROM feedback_requests AS r
        CROSS JOIN LATERAL (
            SELECT format('nobody has said what the order status "%s" means', o.status) FROM orders AS o
            WHERE o.id = r.order_id AND o.tenant_id = p_tenant_id AND o.status IS NOT NULL
              AND word_meaning(p_tenant_id, 'order_status', o.status::text) IS NULL
            UNION ALL
            SELECT format('nobody has said what the case status "%s" means', k.status) FROM cases AS k
            WHERE (k.order_id = r.order_id OR k.client_id = r.client_id) AND k.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(k))
              AND word_meaning(p_tenant_id, 'case_status', k.status::text) IS NULL
        ) AS w (words)
        WHERE r.id = ANY (v_free)
        GROUP BY r.id
    ), told AS MATERIALIZED (
        SELECT u.id, set_item_aside(p_tenant_id, 'feedback', u.id, u.words) FROM unknown AS u
    )
    SELECT coalesce(array_agg(o.id), '{}') INTO v_unknown FROM told AS o;
    RETURN QUERY SELECT l.measure, l.label, cardinality(v_unknown)::bigint
                 FROM (VALUES ('due', 'waiting'), ('skipped', 'waits for a word that nobody has explained')) AS l (measure, label);
    v_free := ARRAY(SELECT f.id FROM unnest(v_free) AS f (id) WHERE f.id <> ALL (v_unknown));
    RETURN QUERY SELECT * FROM step_in_halves('step_feedback', 'feedback', p_tenant_id, v_free, p_run);
END
$$;

-- Why nobody is asked about an order, now or any more; NULL: nothing speaks against it.
CREATE OR REPLACE FUNCTION feedback_refusal(p_tenant_id uuid, p_order orders, p_client_id uuid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN CASE
        WHEN EXISTS (SELECT FROM cases AS k WHERE k.order_id = p_order.id AND k.tenant_id = p_tenant_id
                     AND word_meaning(p_tenant_id, 'case_status', k.status::text) IS DISTINCT FROM 'closed'
                     AND NOT is_gone(to_jsonb(k))) THEN 'open case on the order'
        WHEN p_order.delivered_at IS NULL OR is_gone(to_jsonb(p_order)) OR is_over('order', to_jsonb(p_order))
             OR word_meaning(p_tenant_id, 'order_status', p_order.status::text) IN ('cancelled', 'returned')
            THEN 'order is no longer delivered'
        WHEN EXISTS (SELECT FROM clients AS l WHERE l.id = p_client_id AND l.tenant_id = p_tenant_id AND is_gone(to_jsonb(l)))
            THEN 'the client is gone'
        WHEN p_order.delivered_at < fleet_now() - interval '60 days' THEN 'delivered more than 60 days ago'
        WHEN has_open_case(p_tenant_id, p_client_id, p_order.contact_id) THEN 'open case of the client'
    END;
END
$$;

-- The next step with each of these requests, which the caller has locked together with their contacts: the question goes
-- out, the request is skipped with the reason, or it waits until its reader's mailbox is free.
CREATE OR REPLACE FUNCTION step_feedback(p_tenant_id uuid, p_requests uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_zone constant text := tenant_zone(p_tenant_id);
    v_status constant text := action_status(p_tenant_id, 'feedback');
BEGIN
    RETURN QUERY
    WITH resolved AS MATERIALIZED (
        SELECT r.id, l.id AS client_id, r.scheduled_for, r.delivery_date, o.order_number, o.delivered_at,
               p.id AS contact_id, p.first_name, folded_mailbox(p.email) AS mailbox,
               coalesce(feedback_refusal(p_tenant_id, o, l.id),
                        CASE WHEN p.id IS NULL THEN 'no contact with an address' END) AS refusal
        FROM feedback_requests AS r
        LEFT JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = p_tenant_id
        LEFT JOIN clients AS l ON l.id = coalesce(o.client_id, r.client_id) AND l.tenant_id = p_tenant_id
        LEFT JOIN LATERAL reachable_contact(p_tenant_id, coalesce(o.contact_id, r.contact_id), l.id) AS p ON true
        WHERE r.id = ANY (p_requests)
    ), judged AS (
        SELECT s.*,
               CASE WHEN s.refusal IS NULL AND (
                        EXISTS (SELECT FROM contacts_with_address(p_tenant_id, s.mailbox, s.mailbox) AS c
                                JOIN feedback_requests AS x ON x.contact_id = c.contact_id AND x.tenant_id = p_tenant_id
                                WHERE x.sent_at > v_now - interval '30 days')
                        OR EXISTS (SELECT FROM scheduled_actions AS a  -- its question is on its way
                                   WHERE a.tenant_id = p_tenant_id AND a.mailbox = s.mailbox AND a.engine = 'feedback'
                                     AND a.status IN ('suggested', 'scheduled', 'sending')))
                    THEN 'contact was asked in the last 30 days' ELSE s.refusal END AS reason
        FROM resolved AS s
    ), weighed AS (
        -- Of several orders of one mailbox, whatever contacts bear it, only the first in this batch is asked about.
        SELECT j.id, j.client_id, j.contact_id, j.first_name, j.order_number, j.delivered_at, j.delivery_date, m.free_at,
               CASE WHEN j.reason IS NULL AND row_number() OVER (
                        PARTITION BY j.mailbox, j.reason IS NULL ORDER BY j.scheduled_for, j.id) > 1
                    THEN 'contact was asked in the last 30 days' ELSE j.reason END AS reason,
               mailbox_is_full(m.room, m.waiting, 1, 1) IS NOT NULL AS is_full
        FROM judged AS j
        LEFT JOIN LATERAL mailbox_room(p_tenant_id, j.mailbox) AS m ON j.reason IS NULL
    ), decided AS (
        SELECT w.*, w.reason IS NULL AND w.is_full AS waits FROM weighed AS w
    ), updated AS (
        -- When it was asked is written down when the question was sent, see feedback_settled.
        UPDATE feedback_requests AS r SET
            status = CASE WHEN d.waits THEN 'pending' WHEN d.reason IS NULL THEN 'sent' ELSE 'skipped' END,
            skip_reason = d.reason,
            has_open_case = d.reason IS NOT DISTINCT FROM 'open case on the order',
            client_id = d.client_id,
            contact_id = coalesce(d.contact_id, r.contact_id),
            scheduled_for = CASE WHEN d.waits THEN d.free_at ELSE r.scheduled_for END
        FROM decided AS d WHERE r.id = d.id
        RETURNING r.id
    ), written AS (
        INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id,
                                       client_id, contact_id, run_at, status, dedupe_key, run_id)
        SELECT p_tenant_id, 'feedback', 'email', 'feedback_request',
               jsonb_build_object('order_number', d.order_number, 'first_name', d.first_name,
                                  'delivered_on', to_char(d.delivered_at AT TIME ZONE v_zone, 'FMDD FMMonth')),
               'feedback_request', d.id, d.client_id, d.contact_id, v_now, v_status,
               concat_ws(':', 'feedback', d.id, extract(epoch FROM d.delivery_date),
                         times_in_vain(p_tenant_id, d.id, 1, 'feedback_request')), p_run
        FROM decided AS d WHERE d.reason IS NULL AND NOT d.waits
        RETURNING template
    )
    SELECT 'due', 'request', count(*) FROM decided
    UNION ALL SELECT 'acted', 'asked', count(*) FROM decided WHERE reason IS NULL AND NOT waits
    UNION ALL SELECT 'skipped', 'the mailbox has its e-mails', count(*) FROM decided WHERE waits
    UNION ALL SELECT 'skipped', d.reason, count(*) FROM decided AS d WHERE d.reason IS NOT NULL GROUP BY d.reason
    UNION ALL SELECT 'action', w.template, count(*) FROM written AS w GROUP BY w.template;
END
$$;

CREATE OR REPLACE FUNCTION feedback_due_tenants() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_first constant uuid[] := ARRAY(
        SELECT r.tenant_id FROM feedback_requests AS r WHERE r.due_at <= v_now ORDER BY r.due_at LIMIT few_due());
BEGIN
    IF cardinality(v_first) < few_due() THEN
        RETURN QUERY SELECT DISTINCT f.id FROM unnest(v_first) AS f (id);
    ELSE
        RETURN QUERY SELECT t.id FROM tenants AS t
        WHERE EXISTS (SELECT FROM feedback_requests AS r
                      WHERE r.tenant_id = t.id AND r.status = 'pending' AND r.scheduled_for <= v_now OFFSET 0)
           OR EXISTS (SELECT FROM feedback_requests AS r
                      WHERE r.tenant_id = t.id AND r.status = 'sent' AND r.expires_at <= v_now OFFSET 0);
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION feedback_due_count() RETURNS TABLE (tenant_id uuid, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT r.tenant_id, count(*) FROM feedback_requests AS r WHERE r.due_at <= fleet_now() GROUP BY r.tenant_id
$$;

CREATE OR REPLACE FUNCTION feedback_next_due() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT min(r.due_at) FROM feedback_requests AS r
    WHERE r.due_at > fleet_now() AND action_status(r.tenant_id, 'feedback') IS NOT NULL
$$;

-- A question leaves only while its request waits for an answer and nothing speaks against asking. The task that follows a
-- bad answer is always wanted.
CREATE OR REPLACE FUNCTION feedback_guard(p_actions bigint[]) RETURNS TABLE (action_id bigint, reason text)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT * FROM (
        SELECT a.id, CASE WHEN r.status IS DISTINCT FROM 'sent' THEN 'the request is ' || coalesce(r.status, 'gone')
                          WHEN o.client_id <> a.client_id THEN 'the order belongs to another client now'
                          ELSE feedback_refusal(a.tenant_id, o, a.client_id) END AS refusal
        FROM scheduled_actions AS a
        LEFT JOIN feedback_requests AS r ON r.id = a.subject_id AND r.tenant_id = a.tenant_id
        LEFT JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = a.tenant_id
        WHERE a.id = ANY (p_actions) AND a.subject_type = 'feedback_request' AND a.kind = 'email'
    ) AS judged
    WHERE judged.refusal IS NOT NULL;
END
$$;

-- A request was asked when its message was sent, and waits thirty days from then. One whose message did not get out was not:
-- it is skipped with the message's reason, and counts neither as asked nor as unanswered. A message that an operator tries
-- again makes it wait again, as does an order that has moved to another client meanwhile: it is asked there.
CREATE OR REPLACE FUNCTION feedback_settled(p_actions bigint[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
BEGIN
    UPDATE feedback_requests AS r SET
        status = CASE WHEN a.status IN ('sent', 'scheduled') THEN 'sent' WHEN m.moved THEN 'pending' ELSE 'skipped' END,
        skip_reason = CASE WHEN a.status NOT IN ('sent', 'scheduled') AND NOT m.moved
                           THEN coalesce(a.reason, a.last_error, a.status) END,
        sent_at = CASE a.status WHEN 'sent' THEN v_now END,
        expires_at = CASE a.status WHEN 'sent' THEN v_now + interval '30 days' END
    FROM scheduled_actions AS a
    JOIN feedback_requests AS q ON q.id = a.subject_id AND q.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT a.code = 'unwanted' AND EXISTS (SELECT FROM orders AS o WHERE o.id = q.order_id AND o.tenant_id = a.tenant_id
                                               AND o.client_id <> a.client_id) AS moved
    ) AS m
    WHERE a.id = ANY (p_actions) AND a.subject_type = 'feedback_request' AND a.kind = 'email'
      AND r.id = a.subject_id AND r.tenant_id = a.tenant_id AND r.sent_at IS NULL
      AND r.status = CASE a.status WHEN 'scheduled' THEN 'skipped' ELSE 'sent' END;
END
$$;

-- Moves the pending request of an order to another instant; with the caller's own rights. The next run after it asks.
CREATE OR REPLACE FUNCTION move_feedback_request(p_order_id uuid, p_at timestamptz)
RETURNS TABLE (request_id uuid, order_id uuid, status text, scheduled_for timestamptz)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp ROWS 1
AS $$
#variable_conflict use_column
DECLARE
    v_status text;
BEGIN
    RETURN QUERY
    UPDATE feedback_requests AS r SET scheduled_for = p_at WHERE r.order_id = p_order_id AND r.status = 'pending'
    RETURNING r.id, r.order_id, r.status, r.scheduled_for;
    IF NOT FOUND THEN
        SELECT r.status INTO v_status FROM feedback_requests AS r WHERE r.order_id = p_order_id;
        IF v_status IS NULL THEN
            RAISE EXCEPTION 'there is no delivered order %', p_order_id USING ERRCODE = 'no_data_found';
        END IF;
        RAISE EXCEPTION 'the request is %: only a pending one can be moved', v_status USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
END
$$;

REVOKE ALL ON FUNCTION queue_feedback_request(), get_feedback_due(uuid, integer), move_feedback_request(uuid, timestamptz),
    run_feedback_batch(uuid, integer, bigint), step_feedback(uuid, uuid[], bigint), feedback_due_tenants(),
    feedback_due_count(), feedback_next_due(),
    feedback_refusal(uuid, orders, uuid), feedback_guard(bigint[]), feedback_settled(bigint[]) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION get_feedback_due(uuid, integer), move_feedback_request(uuid, timestamptz) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION queue_feedback_request(), run_feedback_batch(uuid, integer, bigint),
    step_feedback(uuid, uuid[], bigint), feedback_due_tenants(), feedback_due_count(), feedback_next_due(),
    feedback_refusal(uuid, orders, uuid), feedback_guard(bigint[]), feedback_settled(bigint[])
    TO service_role;

SELECT register_engine('feedback', 50);
