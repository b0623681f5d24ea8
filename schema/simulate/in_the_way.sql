-- Ends our session if another one has waited for a quarter of a second for what it holds. Only who waits at all is looked at.
SELECT pg_terminate_backend(%(ours)s) FROM pg_locks AS l
WHERE NOT l.granted AND l.waitstart < clock_timestamp() - interval '250 milliseconds'
  AND %(ours)s = ANY (pg_blocking_pids(l.pid))
LIMIT 1
