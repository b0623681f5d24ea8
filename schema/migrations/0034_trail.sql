-- By which the trail of the console is read page by page: a tenant's, everybody's, one person's. Each statement runs on its own.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_console_audit_newest ON console_audit (tenant_id, at, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_console_audit_at ON console_audit (at, id);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_console_audit_who ON console_audit (who, at, id);

-- They take whose session it is and from where, for the trail.
DROP FUNCTION IF EXISTS make_token(bytea, uuid, text, text, integer, timestamptz, text);
DROP FUNCTION IF EXISTS revoke_token(uuid, text);
