UPDATE deals SET stalled_at = now(), follow_up_count = 1, next_follow_up_at = now() + interval '2 days'
WHERE id = %(deal)s
