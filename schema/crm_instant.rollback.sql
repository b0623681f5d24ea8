-- After the indexes that are built by them.
DROP FUNCTION IF EXISTS crm_instant(timestamptz);
DROP FUNCTION IF EXISTS crm_instant(timestamp);
DROP FUNCTION IF EXISTS crm_zone();
