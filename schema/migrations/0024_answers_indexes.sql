-- A case that names no client is that of its order, or of its contact: looked for among those alone.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_fleet_cases_of_no_client ON cases (tenant_id) WHERE client_id IS NULL;
