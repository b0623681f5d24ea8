DROP INDEX IF EXISTS idx_actions_newest, idx_inbound_received;
