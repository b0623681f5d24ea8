-- Where the outbox stands when a simulation begins: the highest number of an action, and the open ones.
SELECT coalesce(max(a.id), 0) AS last,
       coalesce(array_agg(a.id ORDER BY a.id) FILTER (WHERE a.status IN ('suggested', 'scheduled', 'sending')), '{}') AS waiting
FROM scheduled_actions AS a
