-- As it was before the last measurement: all deals are due, and nothing was written about them.
SET session_replication_role = replica;
UPDATE deals SET stalled_at = NULL, follow_up_hold = NULL WHERE stalled_at IS NOT NULL;
TRUNCATE scheduled_actions CASCADE;
SET session_replication_role = origin;
VACUUM ANALYZE;
