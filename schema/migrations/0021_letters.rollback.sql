DROP TABLE IF EXISTS tenant_templates;
DROP TABLE IF EXISTS tenant_letters;
