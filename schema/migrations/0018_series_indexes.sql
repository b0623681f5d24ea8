-- Each statement runs on its own. Those of deals are built by 0026.

-- An open case silences the mail to its client.
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_fleet_cases_client ON cases (client_id) WHERE client_id IS NOT NULL;

-- Whether somebody of a client wrote since: by the client and the moment.
DROP INDEX CONCURRENTLY IF EXISTS idx_inbound_client;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_client ON inbound_messages (client_id, received_at) WHERE client_id IS NOT NULL;
