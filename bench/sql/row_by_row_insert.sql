INSERT INTO scheduled_actions (tenant_id, engine, kind, template, variables, subject_type, subject_id, client_id,
                               contact_id, assigned_to, run_at, dedupe_key)
VALUES (%(tenant)s, 'deals', 'email', 'deal_follow_up',
        jsonb_build_object('deal', %(title)s::text, 'stage', 'lead', 'company', %(company)s::text,
                           'first_name', %(first_name)s::text, 'owner_name', 'Owner', 'days_silent', 20,
                           'step', 1, 'max_steps', 5),
        'deal', %(deal)s, %(client)s, %(contact)s, %(owner)s, now(), %(key)s)
