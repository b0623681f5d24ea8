DROP TABLE IF EXISTS tenant_letters;
