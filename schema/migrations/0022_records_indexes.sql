-- By which the oldest mail is found when records are pruned.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_received ON inbound_messages (received_at);
