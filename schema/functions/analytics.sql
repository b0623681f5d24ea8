-- What a tenant learns from its own history: the last 90 days of the fleet's clock, unless the session says otherwise. Each
-- figure is counted from a view of what happened, row by row, in which its rows can be looked up.

-- From when on, and until when, the views below look: fleet.since and fleet.until of the session.
CREATE OR REPLACE FUNCTION analytics_since() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$ SELECT coalesce(nullif(current_setting('fleet.since', true), '')::timestamptz, fleet_now() - interval '90 days') $$;

CREATE OR REPLACE FUNCTION analytics_until() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$ SELECT coalesce(nullif(current_setting('fleet.until', true), '')::timestamptz, 'infinity') $$;

-- Between which shares of n, in per cent, the true one lies in 19 of 20 cases (Wilson's interval): the lower bound for -1,
-- the upper one for 1.
CREATE OR REPLACE FUNCTION likely_share_pct(p_hits bigint, p_n bigint, p_side integer) RETURNS numeric
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT round((100 * (x.p + x.z * x.z / (2 * n.n) + p_side * x.z * sqrt(x.p * (1 - x.p) / n.n + x.z * x.z / (4 * n.n * n.n)))
                  / (1 + x.z * x.z / n.n))::numeric, 1)
    FROM (SELECT nullif(p_n, 0)::double precision AS n) AS n
    CROSS JOIN LATERAL (SELECT p_hits / n.n AS p, 1.96::double precision AS z) AS x
$$;

-- Each change of a deal's stage.
CREATE OR REPLACE VIEW deal_moves WITH (security_invoker = true) AS
SELECT h.tenant_id, h.id, h.deal_id, d.title::text AS title, h.from_stage, h.to_stage, h.days_in_previous_stage, h.changed_at AS at
FROM deal_stage_history AS h
LEFT JOIN deals AS d ON d.id = h.deal_id AND d.tenant_id = h.tenant_id
WHERE h.changed_at > (SELECT analytics_since()) AND h.changed_at < (SELECT analytics_until());

CREATE OR REPLACE VIEW deal_stage_velocity WITH (security_invoker = true) AS
SELECT m.tenant_id, m.to_stage, count(*) AS transitions,
       round(avg(m.days_in_previous_stage), 1) AS avg_days,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY m.days_in_previous_stage)::numeric, 1) AS median_days,
       min(m.days_in_previous_stage) AS min_days,
       max(m.days_in_previous_stage) AS max_days
FROM deal_moves AS m
GROUP BY m.tenant_id, m.to_stage;

-- The place of each stage in the funnel, as deals moved: it comes after every stage from which more of them came than went back,
-- and after what that one comes after. A stage that comes after none has no row. p_tenant_id NULL: of all that the caller sees.
CREATE OR REPLACE FUNCTION stage_places(p_tenant_id uuid) RETURNS TABLE (tenant_id uuid, stage text, place bigint)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH RECURSIVE moved AS MATERIALIZED (
        SELECT m.tenant_id, m.from_stage, m.to_stage, count(*) AS n FROM deal_moves AS m
        WHERE p_tenant_id IS NULL OR m.tenant_id = p_tenant_id
        GROUP BY m.tenant_id, m.from_stage, m.to_stage
    ), onward AS MATERIALIZED (
        SELECT m.tenant_id, m.from_stage, m.to_stage FROM moved AS m
        LEFT JOIN moved AS b ON b.tenant_id = m.tenant_id AND b.from_stage = m.to_stage AND b.to_stage = m.from_stage
        WHERE m.from_stage <> m.to_stage AND m.n > coalesce(b.n, 0)
    ), after (tenant_id, stage, earlier) AS (
        SELECT o.tenant_id, o.to_stage, o.from_stage FROM onward AS o
        UNION
        SELECT a.tenant_id, a.stage, o.from_stage FROM after AS a
        JOIN onward AS o ON o.tenant_id = a.tenant_id AND o.to_stage = a.earlier
    )
    SELECT a.tenant_id, a.stage, count(*) FROM after AS a GROUP BY a.tenant_id, a.stage;
END
$$;

-- Each quote's outcome: the stage that its deal was in then, the amount it had at least of 0, 1,000, 10,000 and 100,000, and
-- how many days after it was sent, of which it took at least 0, 3, 7, 14, 30 or 60.
CREATE OR REPLACE VIEW quote_decisions WITH (security_invoker = true) AS
SELECT o.tenant_id, o.id, o.quote_id, q.quote_number, q.title, o.outcome, o.primary_reason AS reason, o.competitor,
       o.our_amount AS amount, o.competitor_amount,
       (SELECT max(b.least) FROM (VALUES (0), (1000), (10000), (100000)) AS b (least) WHERE b.least <= o.our_amount) AS amount_from,
       d.id AS deal_id,
       CASE WHEN d.id IS NOT NULL THEN coalesce((
           SELECT h.to_stage FROM deal_stage_history AS h
           WHERE h.deal_id = d.id AND h.tenant_id = d.tenant_id AND h.changed_at <= o.recorded_at AND NOT is_closed_stage(h.to_stage)
           ORDER BY h.changed_at DESC LIMIT 1), d.stage::text) END AS stage,
       round((extract(epoch FROM o.recorded_at - q.sent_at) / 86400)::numeric, 1) AS days,
       (SELECT max(b.least) FROM (VALUES (0), (3), (7), (14), (30), (60)) AS b (least)
        WHERE b.least <= extract(epoch FROM o.recorded_at - q.sent_at) / 86400) AS days_from,
       extract(epoch FROM o.recorded_at - q.sent_at) AS seconds,
       o.recorded_at AS at
FROM quote_outcomes AS o
LEFT JOIN quotes AS q ON q.id = o.quote_id AND q.tenant_id = o.tenant_id
LEFT JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = o.tenant_id
WHERE o.recorded_at > (SELECT analytics_since()) AND o.recorded_at < (SELECT analytics_until());

CREATE OR REPLACE VIEW quote_win_rates WITH (security_invoker = true) AS
SELECT o.tenant_id, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       count(*) FILTER (WHERE o.outcome = 'no_decision') AS no_decision_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct,
       round(avg(o.amount) FILTER (WHERE o.outcome = 'won'), 2) AS avg_won_amount,
       round(avg(o.amount) FILTER (WHERE o.outcome = 'lost'), 2) AS avg_lost_amount
FROM quote_decisions AS o
GROUP BY o.tenant_id;

CREATE OR REPLACE VIEW quote_win_rates_by_stage WITH (security_invoker = true) AS
SELECT o.tenant_id, o.stage, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct
FROM quote_decisions AS o
WHERE o.deal_id IS NOT NULL
GROUP BY o.tenant_id, o.stage;

CREATE OR REPLACE VIEW quote_win_rates_by_amount WITH (security_invoker = true) AS
SELECT o.tenant_id, o.amount_from, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct
FROM quote_decisions AS o
WHERE o.amount_from IS NOT NULL
GROUP BY o.tenant_id, o.amount_from;

CREATE OR REPLACE VIEW quote_win_rates_by_reason WITH (security_invoker = true) AS
SELECT o.tenant_id, o.reason, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct
FROM quote_decisions AS o
WHERE o.reason IS NOT NULL
GROUP BY o.tenant_id, o.reason;

CREATE OR REPLACE VIEW quote_competitors WITH (security_invoker = true) AS
SELECT o.tenant_id, o.competitor, count(*) AS met_count,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct,
       round(avg(o.amount - o.competitor_amount), 2) AS avg_amount_above_competitor
FROM quote_decisions AS o
WHERE o.competitor IS NOT NULL
GROUP BY o.tenant_id, o.competitor;

CREATE OR REPLACE VIEW quote_decision_times WITH (security_invoker = true) AS
SELECT o.tenant_id, o.outcome, count(*) AS total_quotes,
       round(avg(o.seconds / 86400)::numeric, 1) AS avg_days,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY o.seconds / 86400)::numeric, 1) AS median_days
FROM quote_decisions AS o
WHERE o.seconds IS NOT NULL
GROUP BY o.tenant_id, o.outcome;

CREATE OR REPLACE VIEW quote_decision_spread WITH (security_invoker = true) AS
SELECT o.tenant_id, o.days_from, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count
FROM quote_decisions AS o
WHERE o.days_from IS NOT NULL
GROUP BY o.tenant_id, o.days_from;

-- Each e-mail that was sent: whether it was answered, and how, and whether the matter was won afterwards. A deal is won by its
-- stage, a quote by its outcome.
CREATE OR REPLACE VIEW outreach_sent WITH (security_invoker = true) AS
SELECT a.tenant_id, a.id, a.engine, a.template, coalesce((a.variables ->> 'step')::integer, 1) AS step,
       a.sent_to, a.sent_subject, a.subject_type, a.subject_id, a.sent_at AS at,
       EXISTS (SELECT FROM inbound_messages AS m WHERE m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply') AS answered,
       EXISTS (SELECT FROM inbound_messages AS m WHERE m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply'
               AND (m.answer = 'acceptance' OR m.sentiment = 'positive' AND m.answer <> 'refusal')) AS positive,
       EXISTS (SELECT FROM inbound_messages AS m WHERE m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply'
               AND m.answer = 'opt_out') AS opted_out,
       EXISTS (SELECT FROM delivery_failures AS f
               WHERE f.action_id = a.id AND f.tenant_id = a.tenant_id AND f.whose = 'address') AS bounced,
       CASE a.subject_type
           WHEN 'deal' THEN EXISTS (
               SELECT FROM deal_stage_history AS h
               WHERE h.deal_id = a.subject_id AND h.tenant_id = a.tenant_id AND h.changed_at > a.sent_at
                 AND word_meaning(a.tenant_id, 'deal_stage', h.to_stage) = 'won')
           WHEN 'quote' THEN EXISTS (
               SELECT FROM quote_outcomes AS o
               WHERE o.quote_id = a.subject_id AND o.tenant_id = a.tenant_id AND o.recorded_at > a.sent_at AND o.outcome = 'won')
           ELSE false END AS won_after
FROM scheduled_actions AS a
WHERE a.kind = 'email' AND a.status = 'sent' AND a.sent_at > (SELECT analytics_since()) AND a.sent_at < (SELECT analytics_until());

-- What came of each step of outreach; between answered_from_pct and answered_to_pct its share of answers likely lies.
CREATE OR REPLACE VIEW outreach_effect WITH (security_invoker = true) AS
SELECT c.*, round(100.0 * c.answered_count / c.sent_count, 1) AS answered_pct,
       likely_share_pct(c.answered_count, c.sent_count, -1) AS answered_from_pct,
       likely_share_pct(c.answered_count, c.sent_count, 1) AS answered_to_pct
FROM (
    SELECT a.tenant_id, a.engine, a.template, a.step, count(*) AS sent_count,
           count(*) FILTER (WHERE a.answered) AS answered_count,
           count(*) FILTER (WHERE a.positive) AS positive_count,
           count(*) FILTER (WHERE a.opted_out) AS opted_out_count,
           count(*) FILTER (WHERE a.bounced) AS bounced_count,
           count(*) FILTER (WHERE a.won_after) AS won_after_count
    FROM outreach_sent AS a
    GROUP BY a.tenant_id, a.engine, a.template, a.step
) AS c;

-- Each signal that was noticed; address is whose it was, where that is a contact.
CREATE OR REPLACE VIEW signals_noticed WITH (security_invoker = true) AS
SELECT s.tenant_id, s.id, s.signal_type, s.signal_strength, s.source_type, s.extracted_text, s.actioned, s.action_taken,
       extract(epoch FROM s.actioned_at - s.created_at) / 3600 AS hours_to_action,
       (SELECT c.email::text FROM contacts AS c WHERE c.id = s.contact_id AND c.tenant_id = s.tenant_id) AS address,
       s.created_at AS at
FROM opportunity_signals AS s
WHERE s.created_at > (SELECT analytics_since()) AND s.created_at < (SELECT analytics_until());

CREATE OR REPLACE VIEW signal_action_rates WITH (security_invoker = true) AS
SELECT s.tenant_id, s.signal_type, count(*) AS total_signals,
       count(*) FILTER (WHERE s.actioned) AS actioned_count,
       round(100.0 * count(*) FILTER (WHERE s.actioned) / count(*), 1) AS action_rate_pct,
       round(avg(s.signal_strength), 2) AS avg_strength,
       round(avg(s.hours_to_action) FILTER (WHERE s.actioned)::numeric, 1) AS avg_hours_to_action
FROM signals_noticed AS s
GROUP BY s.tenant_id, s.signal_type;

-- Each check that was made. standing is its status, but overdue also where it was escalated.
CREATE OR REPLACE VIEW checks_made WITH (security_invoker = true) AS
SELECT c.tenant_id, c.id, c.compliance_type, c.entity_type, c.entity_name, c.status,
       CASE c.status WHEN 'escalated' THEN 'overdue' ELSE c.status END AS standing, c.due_at, c.completed_at,
       extract(epoch FROM c.completed_at - c.created_at) / 86400 AS days_to_complete, c.created_at AS at
FROM compliance_checks AS c
WHERE c.created_at > (SELECT analytics_since()) AND c.created_at < (SELECT analytics_until());

CREATE OR REPLACE VIEW compliance_completion_rates WITH (security_invoker = true) AS
SELECT c.tenant_id, c.compliance_type, count(*) AS total_checks,
       count(*) FILTER (WHERE c.standing = 'completed') AS completed_count,
       count(*) FILTER (WHERE c.standing = 'overdue') AS overdue_count,
       count(*) FILTER (WHERE c.standing = 'waived') AS waived_count,
       round(100.0 * count(*) FILTER (WHERE c.standing = 'completed') / count(*), 1) AS completion_rate_pct,
       round(avg(c.days_to_complete) FILTER (WHERE c.standing = 'completed')::numeric, 1) AS avg_days_to_complete
FROM checks_made AS c
GROUP BY c.tenant_id, c.compliance_type;

REVOKE ALL ON FUNCTION analytics_since(), analytics_until(), likely_share_pct(bigint, bigint, integer), stage_places(uuid) FROM PUBLIC, anon;
GRANT EXECUTE ON FUNCTION analytics_since(), analytics_until(), likely_share_pct(bigint, bigint, integer), stage_places(uuid) TO authenticated, service_role;
