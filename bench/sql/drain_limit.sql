-- The limit: the same updates and inserts for one batch of known rows, nothing claimed, nothing decided.
WITH batch AS (
    SELECT d.id, d.title, d.tenant_id, d.client_id, d.contact_id, d.owner_id, d.last_activity_at, c.first_name, l.company_name
    FROM deals AS d
    JOIN contacts AS c ON c.id = d.contact_id
    JOIN clients AS l ON l.id = d.client_id
    WHERE d.id = ANY (%s)
), updated AS (
    UPDATE deals AS d SET stalled_at = now(), follow_up_count = 1, next_follow_up_at = now() + interval '2 days'
    FROM batch AS b WHERE d.id = b.id
)
INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                               contact_id, assigned_to, run_at, dedupe_key)
SELECT b.tenant_id, 'deals', 'email', 'deal_follow_up',
       jsonb_build_object('deal', b.title, 'stage', 'lead', 'company', b.company_name, 'first_name', b.first_name,
                          'owner_name', 'Owner', 'days_silent', 20, 'step', 1, 'max_steps', 5),
       'deal', b.id, b.client_id, b.contact_id, b.owner_id, now(),
       concat_ws(':', 'deal', b.id, extract(epoch FROM b.last_activity_at), 'deal_follow_up', 1)
FROM batch AS b
