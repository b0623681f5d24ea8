-- When the tables of an earlier P1 were adopted; NULL: there were none. What it had followed up to the end stays ended.

ALTER TABLE fleet_defaults ADD COLUMN adopted_at timestamptz;
UPDATE fleet_defaults SET adopted_at = now() WHERE to_regclass('fleet_adopted.steps') IS NOT NULL;
UPDATE quotes AS q SET follow_up_ended_for = 'followed up to the end before the fleet'
WHERE q.follow_up_ended_at IS NOT NULL AND q.follow_up_ended_for IS NULL AND to_regclass('fleet_adopted.steps') IS NOT NULL;
