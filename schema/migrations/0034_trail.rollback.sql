DROP INDEX IF EXISTS idx_console_audit_newest, idx_console_audit_at, idx_console_audit_who;
DROP FUNCTION IF EXISTS make_token(bytea, uuid, text, text, integer, timestamptz, bigint, text, text);
DROP FUNCTION IF EXISTS revoke_token(uuid, bigint, text, text);
