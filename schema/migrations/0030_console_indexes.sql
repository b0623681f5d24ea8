-- By which the console reads compliance by entity, page by page. Each statement runs on its own.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_names ON compliance_checks
    (tenant_id, lower(coalesce(entity_name, '')), entity_id, entity_type);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_compliance_statuses ON compliance_checks
    (tenant_id, status, lower(coalesce(entity_name, '')), entity_id, entity_type);
