-- What a tenant learns from its own history, each view over the last 90 days of the fleet's clock.

CREATE OR REPLACE VIEW deal_stage_velocity WITH (security_invoker = true) AS
SELECT h.tenant_id, h.to_stage, count(*) AS transitions,
       round(avg(h.days_in_previous_stage), 1) AS avg_days,
       round(percentile_cont(0.5) WITHIN GROUP (ORDER BY h.days_in_previous_stage)::numeric, 1) AS median_days,
       min(h.days_in_previous_stage) AS min_days,
       max(h.days_in_previous_stage) AS max_days
FROM deal_stage_history AS h
WHERE h.changed_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY h.tenant_id, h.to_stage;

CREATE OR REPLACE VIEW quote_win_rates WITH (security_invoker = true) AS
SELECT o.tenant_id, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       count(*) FILTER (WHERE o.outcome = 'no_decision') AS no_decision_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct,
       round(avg(o.our_amount) FILTER (WHERE o.outcome = 'won'), 2) AS avg_won_amount,
       round(avg(o.our_amount) FILTER (WHERE o.outcome = 'lost'), 2) AS avg_lost_amount
FROM quote_outcomes AS o
WHERE o.recorded_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY o.tenant_id;

-- Win rate by the stage the quote's deal was in when the outcome was recorded.
CREATE OR REPLACE VIEW quote_win_rates_by_stage WITH (security_invoker = true) AS
SELECT o.tenant_id, coalesce(reached.to_stage, d.stage::text) AS stage, count(*) AS total_quotes,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct
FROM quote_outcomes AS o
JOIN quotes AS q ON q.id = o.quote_id AND q.tenant_id = o.tenant_id
JOIN deals AS d ON d.id = q.deal_id AND d.tenant_id = o.tenant_id
LEFT JOIN LATERAL (
    SELECT h.to_stage FROM deal_stage_history AS h
    WHERE h.deal_id = d.id AND h.tenant_id = d.tenant_id AND h.changed_at <= o.recorded_at
      AND NOT is_closed_stage(h.to_stage)
    ORDER BY h.changed_at DESC LIMIT 1
) AS reached ON true
WHERE o.recorded_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY o.tenant_id, coalesce(reached.to_stage, d.stage::text);

CREATE OR REPLACE VIEW quote_competitors WITH (security_invoker = true) AS
SELECT o.tenant_id, o.competitor, count(*) AS met_count,
       count(*) FILTER (WHERE o.outcome = 'won') AS won_count,
       count(*) FILTER (WHERE o.outcome = 'lost') AS lost_count,
       round(100.0 * count(*) FILTER (WHERE o.outcome = 'won') / count(*), 1) AS win_rate_pct,
       round(avg(o.our_amount - o.competitor_amount), 2) AS avg_amount_above_competitor
FROM quote_outcomes AS o
WHERE o.competitor IS NOT NULL AND o.recorded_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY o.tenant_id, o.competitor;

CREATE OR REPLACE VIEW quote_decision_times WITH (security_invoker = true) AS
SELECT o.tenant_id, o.outcome, count(*) AS total_quotes,
       round(avg(extract(epoch FROM o.recorded_at - q.sent_at) / 86400)::numeric, 1) AS avg_days,
       round(percentile_cont(0.5) WITHIN GROUP (
           ORDER BY extract(epoch FROM o.recorded_at - q.sent_at) / 86400)::numeric, 1) AS median_days
FROM quote_outcomes AS o
JOIN quotes AS q ON q.id = o.quote_id AND q.tenant_id = o.tenant_id
WHERE q.sent_at IS NOT NULL AND o.recorded_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY o.tenant_id, o.outcome;

-- What came of each step of outreach: of the e-mails sent, how many were answered, and how; and after how many the matter was
-- won. A deal is won by its stage, a quote by its outcome.
CREATE OR REPLACE VIEW outreach_effect WITH (security_invoker = true) AS
SELECT a.tenant_id, a.engine, a.template, coalesce((a.variables ->> 'step')::integer, 1) AS step,
       count(*) AS sent_count,
       count(*) FILTER (WHERE r.answers > 0) AS answered_count,
       count(*) FILTER (WHERE r.positive) AS positive_count,
       count(*) FILTER (WHERE r.opted_out) AS opted_out_count,
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM delivery_failures AS f
           WHERE f.action_id = a.id AND f.tenant_id = a.tenant_id AND f.whose = 'address')) AS bounced_count,
       count(*) FILTER (WHERE CASE a.subject_type
           WHEN 'deal' THEN EXISTS (
               SELECT FROM deal_stage_history AS h
               WHERE h.deal_id = a.subject_id AND h.tenant_id = a.tenant_id AND h.changed_at > a.sent_at
                 AND word_meaning(a.tenant_id, 'deal_stage', h.to_stage) = 'won')
           WHEN 'quote' THEN EXISTS (
               SELECT FROM quote_outcomes AS o
               WHERE o.quote_id = a.subject_id AND o.tenant_id = a.tenant_id AND o.recorded_at > a.sent_at AND o.outcome = 'won')
           END) AS won_after_count
FROM scheduled_actions AS a
CROSS JOIN LATERAL (
    SELECT count(*) AS answers,
           coalesce(bool_or(m.answer = 'acceptance' OR m.sentiment = 'positive' AND m.answer <> 'refusal'), false) AS positive,
           coalesce(bool_or(m.answer = 'opt_out'), false) AS opted_out
    FROM inbound_messages AS m WHERE m.action_id = a.id AND m.tenant_id = a.tenant_id AND m.kind = 'reply'
) AS r
WHERE a.kind = 'email' AND a.status = 'sent' AND a.sent_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY a.tenant_id, a.engine, a.template, coalesce((a.variables ->> 'step')::integer, 1);

CREATE OR REPLACE VIEW signal_action_rates WITH (security_invoker = true) AS
SELECT s.tenant_id, s.signal_type, count(*) AS total_signals,
       count(*) FILTER (WHERE s.actioned) AS actioned_count,
       round(100.0 * count(*) FILTER (WHERE s.actioned) / count(*), 1) AS action_rate_pct,
       round(avg(s.signal_strength), 2) AS avg_strength,
       round(avg(extract(epoch FROM s.actioned_at - s.created_at) / 3600) FILTER (WHERE s.actioned)::numeric, 1)
           AS avg_hours_to_action
FROM opportunity_signals AS s
WHERE s.created_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY s.tenant_id, s.signal_type;

CREATE OR REPLACE VIEW compliance_completion_rates WITH (security_invoker = true) AS
SELECT c.tenant_id, c.compliance_type, count(*) AS total_checks,
       count(*) FILTER (WHERE c.status = 'completed') AS completed_count,
       count(*) FILTER (WHERE c.status IN ('overdue', 'escalated')) AS overdue_count,
       count(*) FILTER (WHERE c.status = 'waived') AS waived_count,
       round(100.0 * count(*) FILTER (WHERE c.status = 'completed') / count(*), 1) AS completion_rate_pct,
       round(avg(extract(epoch FROM c.completed_at - c.created_at) / 86400) FILTER (WHERE c.status = 'completed')::numeric, 1)
           AS avg_days_to_complete
FROM compliance_checks AS c
WHERE c.created_at > (SELECT fleet_now()) - interval '90 days'
GROUP BY c.tenant_id, c.compliance_type;
