DROP INDEX IF EXISTS idx_compliance_names, idx_compliance_statuses;
