DROP INDEX IF EXISTS idx_inbound_received;
