DROP TABLE IF EXISTS console_audit;
DROP TABLE IF EXISTS console_sessions;
DROP TABLE IF EXISTS console_links;
