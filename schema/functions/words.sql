-- The CRM's words, looked up: what a tenant said itself, else what every CRM means by it.

-- open, won or lost; open, delivered, cancelled or returned; open or closed. NULL: nobody knows, so nobody acts on it.
CREATE OR REPLACE FUNCTION word_meaning(p_tenant_id uuid, p_kind text, p_word text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_meaning text;
BEGIN
    SELECT w.meaning INTO v_meaning FROM crm_words AS w
    WHERE w.tenant_id = p_tenant_id AND w.kind = p_kind AND w.word = folded_word(p_word);
    RETURN coalesce(v_meaning, shipped_meaning(p_kind, p_word));
END
$$;

-- Whether what a deal or an order says of itself beside its stage or status means that it is over. A word that nobody knows
-- tells nothing: there is the stage to go by.
CREATE OR REPLACE FUNCTION says_it_is_over(p_kind text, p_row jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM jsonb_each_text(p_row) AS f
        CROSS JOIN LATERAL (SELECT replace(lower(f.key), '_', '') AS name, lower(btrim(f.value)) AS value) AS c
        WHERE CASE
            WHEN p_kind = 'deal' AND c.name IN ('closedat', 'closedon', 'wonat', 'wonon', 'wontime', 'lostat', 'loston', 'losttime')
              OR p_kind = 'order' AND c.name IN ('cancelledat', 'canceledat', 'cancelledon', 'canceledon', 'voidedat', 'refundedat',
                                                 'returnedat')
                THEN c.value NOT IN ('', '0', 'infinity')
            WHEN p_kind = 'deal' AND c.name IN ('closed', 'isclosed', 'won', 'iswon', 'lost', 'islost')
              OR p_kind = 'order' AND c.name IN ('cancelled', 'canceled', 'iscancelled', 'iscanceled', 'returned', 'isreturned',
                                                 'refunded', 'isrefunded')
                THEN c.value IN ('true', 't', 'yes', 'y', '1')
            WHEN p_kind = 'deal' AND c.name IN ('status', 'state', 'dealstatus', 'dealstate', 'outcome', 'result')
                THEN c.value = 'closed' OR shipped_meaning('deal_stage', c.value) IN ('won', 'lost')
            WHEN p_kind = 'order' AND c.name IN ('state', 'financialstatus', 'paymentstatus', 'fulfillmentstatus', 'returnstatus')
                THEN shipped_meaning('order_status', c.value) IN ('cancelled', 'returned')
        END)
$$;

-- Whether a deal or an order is over by what the CRM keeps of that beside its stage or status: many leave a won deal in the
-- stage in which it was won, and note elsewhere that an order was cancelled or sent back. In snake_case or as the mappers of
-- other languages write it; most CRMs have none of it, which is asked first. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION is_over(p_kind text, p_row jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE
        WHEN p_kind = 'deal' AND p_row ?| '{status,Status,state,State,deal_status,dealStatus,deal_state,dealState,outcome,result,
                                            closed,is_closed,isClosed,IsClosed,won,is_won,isWon,IsWon,lost,is_lost,isLost,IsLost,
                                            closed_at,closedAt,ClosedAt,closed_on,closedOn,won_at,wonAt,won_on,won_time,wonTime,
                                            lost_at,lostAt,lost_on,lost_time,lostTime}'::text[]
          OR p_kind = 'order' AND p_row ?| '{state,State,financial_status,financialStatus,payment_status,paymentStatus,
                                             fulfillment_status,fulfillmentStatus,return_status,returnStatus,
                                             cancelled,canceled,is_cancelled,isCancelled,IsCancelled,is_canceled,isCanceled,
                                             returned,is_returned,isReturned,IsReturned,refunded,is_refunded,isRefunded,
                                             cancelled_at,cancelledAt,canceled_at,canceledAt,cancelled_on,canceled_on,voided_at,
                                             voidedAt,refunded_at,refundedAt,returned_at,returnedAt}'::text[]
            THEN public.says_it_is_over(p_kind, p_row)
        ELSE false END
$$;

-- Whether one of a deal's quotes was won or lost: that speaks for the deal and its other quotes too. Pins no search_path,
-- so that PostgreSQL inlines it into the engines' statements.
CREATE OR REPLACE FUNCTION has_decided_quote(p_tenant_id uuid, p_deal_id uuid) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (SELECT FROM public.quotes AS q
                   WHERE q.deal_id = p_deal_id AND q.tenant_id = p_tenant_id
                     AND (q.outcome IN ('won', 'lost') OR q.status IN ('accepted', 'rejected')))
$$;

-- The cases of a client (NULL: the contact's) that wait for us to close them. A case that names no client is that of its
-- order, or of its contact. A status that nobody knows is not closed. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION open_cases(p_tenant_id uuid, p_client_id uuid, p_contact_id uuid) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT k.id
    FROM (SELECT coalesce(p_client_id, (SELECT c.client_id FROM public.contacts AS c
                                        WHERE c.id = p_contact_id AND c.tenant_id = p_tenant_id)) AS id) AS client
    CROSS JOIN LATERAL (
        SELECT o.* FROM public.cases AS o WHERE o.client_id = client.id AND o.tenant_id = p_tenant_id
        UNION ALL
        SELECT o.* FROM public.cases AS o
        WHERE o.tenant_id = p_tenant_id AND o.client_id IS NULL
          -- Each by its key, whatever the sizes were when this was planned.
          AND coalesce(
              (SELECT x.client_id FROM public.orders AS x WHERE x.id = o.order_id AND x.tenant_id = p_tenant_id),
              (SELECT c.client_id FROM public.contacts AS c WHERE c.id = o.contact_id AND c.tenant_id = p_tenant_id)) = client.id
    ) AS k
    WHERE NOT public.is_gone(to_jsonb(k))
      AND public.word_meaning(p_tenant_id, 'case_status', k.status::text) IS DISTINCT FROM 'closed'
$$;

-- Whether a client (NULL: the contact's) has an open case: until it is closed nobody sells to it.
CREATE OR REPLACE FUNCTION has_open_case(p_tenant_id uuid, p_client_id uuid, p_contact_id uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM open_cases(p_tenant_id, p_client_id, p_contact_id));
END
$$;

-- Says what a word means for a tenant (p_meaning NULL: what it means everywhere). What waited for it goes on at once.
CREATE OR REPLACE FUNCTION set_word(p_tenant_id uuid, p_kind text, p_word text, p_meaning text, p_by text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF p_meaning IS NULL THEN
        DELETE FROM crm_words AS w
        WHERE w.tenant_id = p_tenant_id AND w.kind = p_kind AND w.word = folded_word(p_word);
    ELSE
        INSERT INTO crm_words (tenant_id, kind, word, meaning, decided_by, decided_at)
        VALUES (p_tenant_id, p_kind, folded_word(p_word), p_meaning, p_by, fleet_now())
        ON CONFLICT (tenant_id, kind, word) DO UPDATE
            SET meaning = excluded.meaning, decided_by = excluded.decided_by, decided_at = excluded.decided_at;
    END IF;
    DELETE FROM items_aside AS x WHERE x.tenant_id = p_tenant_id AND x.error LIKE 'nobody has said %';
    IF p_kind = 'deal_stage' THEN
        -- Closed deals leave the index of work; those that were taken out for their stage alone come back.
        UPDATE deals AS d SET
            follow_up_ended_at = CASE WHEN m.closed THEN fleet_now() END,
            follow_up_ended_for = CASE WHEN m.closed THEN 'closed' END, stalled_at = NULL, next_follow_up_at = NULL
        FROM (SELECT coalesce(word_meaning(p_tenant_id, p_kind, p_word) IN ('won', 'lost'), false) AS closed) AS m
        WHERE d.tenant_id = p_tenant_id AND folded_word(d.stage::text) = folded_word(p_word)
          AND CASE WHEN m.closed THEN d.follow_up_ended_at IS NULL
                   ELSE d.follow_up_ended_at IS NOT NULL AND coalesce(d.follow_up_ended_for, 'closed') = 'closed'
                        AND d.stalled_at IS NULL END;
    END IF;
END
$$;

-- The words that tenants explained themselves; p_tenant_id NULL: all of them.
CREATE OR REPLACE FUNCTION list_words(p_tenant_id uuid)
RETURNS TABLE (tenant_name text, kind text, word text, meaning text, decided_by text, decided_at timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT t.name, w.kind, w.word, w.meaning, w.decided_by, w.decided_at FROM crm_words AS w
    JOIN tenants AS t ON t.id = w.tenant_id
    WHERE p_tenant_id IS NULL OR w.tenant_id = p_tenant_id
    ORDER BY t.name, w.kind, w.word
$$;

-- Words that nobody knows and that keep rows of a tenant or (NULL) of any from being worked, with how many: stages of deals,
-- statuses of orders and cases.
CREATE OR REPLACE FUNCTION unknown_words_of(p_tenant_id uuid)
RETURNS TABLE (tenant_id uuid, tenant_name text, kind text, word text, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT u.tenant_id, t.name, u.kind, u.word, u.n FROM (
        SELECT s.tenant_id, 'deal_stage' AS kind, s.stage AS word, s.n FROM (
            SELECT d.tenant_id, d.stage::text AS stage, count(*) AS n FROM deals AS d
            WHERE d.auto_follow_up_enabled AND d.follow_up_ended_at IS NULL
              AND (p_tenant_id IS NULL OR d.tenant_id = p_tenant_id)
            GROUP BY d.tenant_id, d.stage) AS s
        WHERE NOT is_closed_stage(s.stage)    -- asked once for each stage, not for each deal
        UNION ALL
        SELECT o.tenant_id, 'order_status', o.status::text, count(*) FROM feedback_requests AS r
        JOIN orders AS o ON o.id = r.order_id AND o.tenant_id = r.tenant_id
        WHERE r.status = 'pending' AND o.status IS NOT NULL AND (p_tenant_id IS NULL OR r.tenant_id = p_tenant_id)
        GROUP BY o.tenant_id, o.status
        UNION ALL
        SELECT k.tenant_id, 'case_status', k.status::text, count(*) FROM feedback_requests AS r
        JOIN cases AS k ON k.order_id = r.order_id AND k.tenant_id = r.tenant_id
        WHERE r.status = 'pending' AND k.status IS NOT NULL AND (p_tenant_id IS NULL OR r.tenant_id = p_tenant_id)
        GROUP BY k.tenant_id, k.status
    ) AS u
    JOIN tenants AS t ON t.id = u.tenant_id
    WHERE word_meaning(u.tenant_id, u.kind, u.word) IS NULL
    ORDER BY t.name, u.kind, u.n DESC, u.word
$$;

CREATE OR REPLACE FUNCTION unknown_words()
RETURNS TABLE (tenant_id uuid, tenant_name text, kind text, word text, n bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT * FROM unknown_words_of(NULL)
$$;

REVOKE ALL ON FUNCTION word_meaning(uuid, text, text), says_it_is_over(text, jsonb), is_over(text, jsonb),
    has_decided_quote(uuid, uuid), open_cases(uuid, uuid, uuid), has_open_case(uuid, uuid, uuid),
    set_word(uuid, text, text, text, text), list_words(uuid), unknown_words_of(uuid), unknown_words() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION has_decided_quote(uuid, uuid), open_cases(uuid, uuid, uuid), has_open_case(uuid, uuid, uuid) TO service_role;
GRANT EXECUTE ON FUNCTION word_meaning(uuid, text, text), says_it_is_over(text, jsonb), is_over(text, jsonb) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION set_word(uuid, text, text, text, text), list_words(uuid), unknown_words_of(uuid),
    unknown_words() TO service_role;
