-- By which a tenant's newest actions, and those of one run, are read page by page.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_newest ON scheduled_actions (tenant_id, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_received ON inbound_messages (tenant_id, received_at);
