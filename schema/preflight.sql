-- What in this database stands in the way of the fleet, one row per finding; empty: nothing. Reads catalogues only,
-- never a row. Expects core_column (migrations/core_columns.sql), what can be adopted of an earlier P1 (migrations/adoption/shape.sql), in
-- fleet.names what the fleet will make: {"relations": [...], "functions": [...], "triggers": ["name on table", ...],
-- "columns": ["table.column", ...]}; empty once the fleet is installed; and in fleet.naive_zone the zone in which the CRM writes timestamps that name none, if somebody said so.

WITH RECURSIVE plain_type AS (      -- a domain is what it is made of
    SELECT t.oid, t.oid AS base FROM pg_type AS t WHERE t.typtype <> 'd'
    UNION ALL
    SELECT d.oid, p.base FROM pg_type AS d JOIN plain_type AS p ON p.oid = d.typbasetype WHERE d.typtype = 'd'
), crm_table AS (
    SELECT w.table_name, c.oid, c.relkind, c.relowner, c.relpersistence
    FROM (SELECT DISTINCT k.table_name FROM core_column AS k) AS w
    JOIN pg_class AS c ON c.relname = w.table_name AND c.relnamespace = 'public'::regnamespace
), present AS (
    SELECT t.table_name, a.attname AS column_name, t.oid AS table_id, a.attnum, a.attnotnull, a.atthasdef, a.attidentity,
           a.attgenerated, format_type(a.atttypid, a.atttypmod) AS shown, b.typname AS base, b.typcategory AS category
    FROM crm_table AS t
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN plain_type AS p ON p.oid = a.atttypid
    JOIN pg_type AS b ON b.oid = p.base
    WHERE t.relkind = 'r'
), wanted AS (
    SELECT k.table_name, k.column_name, k.use, k.ordinal,
           -- Words are read whatever they are kept in; what only orders rows need not be an exact instant.
           CASE WHEN k.column_name = 'created_at' AND k.table_name <> 'deals' THEN 'date'
                WHEN k.type = 'text' AND k.use IN ('read', 'decisive') THEN 'word'
                ELSE k.type END AS type
    FROM core_column AS k
), database_finding AS (
    SELECT 'database' AS table_name, NULL AS column_name, 'PostgreSQL ' || current_setting('server_version') AS found,
           'PostgreSQL 15 or newer' AS needed, 'upgrade the server' AS mend
    WHERE current_setting('server_version_num')::integer < 150000
    UNION ALL
    SELECT 'database', NULL, 'encoding ' || current_setting('server_encoding'), 'UTF8', 'restore the CRM into a database of that encoding'
    WHERE current_setting('server_encoding') <> 'UTF8'
    UNION ALL
    SELECT 'database', NULL, 'standard_conforming_strings is off', 'on, as everywhere since 2010',
           format('ALTER DATABASE %I SET standard_conforming_strings = on', current_database())
    WHERE NOT current_setting('standard_conforming_strings')::boolean
    UNION ALL
    SELECT 'database', NULL, format('%s may not create in schema public', current_user), 'that right',
           format('GRANT CREATE ON SCHEMA public TO %I', current_user)
    WHERE NOT has_schema_privilege('public', 'CREATE')
    UNION ALL
    SELECT 'database', NULL, format('%s may not create a schema, and there is no schema auth', current_user), 'that right',
           format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
    WHERE to_regnamespace('auth') IS NULL AND NOT has_database_privilege(current_database(), 'CREATE')
    UNION ALL
    SELECT 'database', NULL, format('no role %s, and %s may not create roles', r.name, current_user), 'the roles of Supabase',
           format('as a superuser: CREATE ROLE %s NOLOGIN', r.name)
    FROM unnest(ARRAY['anon', 'authenticated', 'service_role']) AS r (name)
    WHERE to_regrole(r.name) IS NULL
      AND NOT (SELECT u.rolsuper OR u.rolcreaterole FROM pg_roles AS u WHERE u.rolname = current_user)
    UNION ALL
    SELECT 'database', NULL, format('%s is not a member of service_role', current_user), 'membership',
           format('as a superuser: GRANT service_role TO %I', current_user)
    FROM pg_roles AS r
    WHERE r.rolname = 'service_role' AND NOT pg_has_role(r.oid, 'MEMBER')
      AND NOT pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
    UNION ALL
    SELECT 'auth.uid()', NULL, 'returns ' || format_type(p.prorettype, NULL), 'uuid', 'the fleet works where users are named by uuid'
    FROM pg_proc AS p WHERE p.oid = to_regprocedure('auth.uid()') AND p.prorettype <> 'uuid'::regtype
), table_finding AS (
    SELECT t.table_name, NULL,
           CASE t.relkind WHEN 'v' THEN 'a view' WHEN 'm' THEN 'a materialized view' WHEN 'f' THEN 'a foreign table'
                          WHEN 'p' THEN 'a partitioned table' ELSE 'no table' END,
           'a plain table', 'rename it; the fleet then makes a table of its own, which the CRM has to fill'
    FROM crm_table AS t WHERE t.relkind <> 'r'
    UNION ALL
    SELECT t.table_name, NULL, format('owned by %s', pg_get_userbyid(t.relowner)), format('owned by %s, or by a role it is in', current_user),
           format('migrate as %s, or GRANT %1$I TO %I', pg_get_userbyid(t.relowner), current_user)
    FROM crm_table AS t WHERE t.relkind = 'r' AND NOT pg_has_role(t.relowner, 'USAGE')
    UNION ALL
    SELECT t.table_name, NULL, 'an unlogged table', 'a table that survives a crash', format('ALTER TABLE %I SET LOGGED', t.table_name)
    FROM crm_table AS t WHERE t.relkind = 'r' AND t.relpersistence = 'u'
    UNION ALL
    SELECT w.table_name, NULL, format('a type named %s', w.table_name), 'a table, or nothing of that name', 'rename the type'
    FROM (SELECT DISTINCT k.table_name FROM core_column AS k) AS w
    JOIN pg_type AS t ON t.typname = w.table_name AND t.typnamespace = 'public'::regnamespace AND t.typrelid = 0
), column_finding AS (
    SELECT t.table_name, 'id', coalesce(p.shown, 'no such column'), 'uuid', 'the fleet works beside CRMs whose rows are named by uuid'
    FROM crm_table AS t LEFT JOIN present AS p ON p.table_name = t.table_name AND p.column_name = 'id'
    WHERE t.relkind = 'r' AND p.base IS DISTINCT FROM 'uuid'
    UNION ALL
    SELECT p.table_name, 'id', 'neither primary key nor unique', 'a key', format('ALTER TABLE %I ADD PRIMARY KEY (id)', p.table_name)
    FROM present AS p
    WHERE p.column_name = 'id' AND p.base = 'uuid' AND NOT EXISTS (
        SELECT FROM pg_index AS i
        WHERE i.indrelid = p.table_id AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL
          AND i.indnkeyatts = 1 AND i.indkey[0] = p.attnum)
    UNION ALL
    SELECT w.table_name, w.column_name, 'no such column', CASE w.type WHEN 'word' THEN 'text, varchar or an enum' ELSE w.type END,
           'it tells what a row means, so nobody can make it up: let the CRM keep it, '
           'by renaming the column that tells it or by a plain column with a trigger of the CRM''s own: docs/how-to/mapping.md'
    FROM wanted AS w JOIN crm_table AS t ON t.table_name = w.table_name AND t.relkind = 'r'
    WHERE w.use = 'decisive'
      AND NOT EXISTS (SELECT FROM present AS p WHERE p.table_name = w.table_name AND p.column_name = w.column_name)
    UNION ALL
    SELECT p.table_name, p.column_name, p.shown,
           CASE w.type WHEN 'word' THEN 'text, varchar or an enum' WHEN 'text' THEN 'text or varchar' ELSE w.type END,
           CASE WHEN p.base = 'timestamp'
                THEN 'set FLEET_NAIVE_ZONE to the zone in which the CRM writes it, such as UTC or Europe/Berlin, and migrate again'
                WHEN p.category = 'D' THEN format('ALTER TABLE %I ALTER COLUMN %I TYPE timestamptz USING %2$I AT TIME ZONE ''UTC'' '
                                                  '(or the zone it is written in)', p.table_name, p.column_name)
                WHEN w.use = 'read' THEN 'change its type, or rename it: the fleet then adds a column of its own'
                ELSE 'change its type, or let the database keep the value in a column of that type: docs/how-to/mapping.md' END
    FROM wanted AS w JOIN present AS p ON p.table_name = w.table_name AND p.column_name = w.column_name
    WHERE NOT CASE w.type
        WHEN 'word' THEN p.category IN ('S', 'E')
        WHEN 'text' THEN p.category = 'S'
        WHEN 'uuid' THEN p.base = 'uuid'
        WHEN 'timestamptz' THEN p.base = 'timestamptz' OR p.base = 'timestamp' AND current_setting('fleet.naive_zone') <> ''
        WHEN 'date' THEN p.category = 'D'
        WHEN 'boolean' THEN p.base = 'bool'
        WHEN 'jsonb' THEN p.base = 'jsonb'
        ELSE p.category = 'N' AND p.base <> 'money' END
    UNION ALL
    SELECT p.table_name, p.column_name, 'generated', 'a plain column',
           'triggers see generated columns too late: keep it by a trigger of the CRM''s own'
    FROM wanted AS w JOIN present AS p ON p.table_name = w.table_name AND p.column_name = w.column_name
    WHERE p.attgenerated <> '' AND (w.table_name = 'deals' OR w.use = 'written')
    UNION ALL
    SELECT p.table_name, p.column_name, 'NOT NULL without a default', 'a column that may stay empty',
           format('the fleet files %s and knows nothing to put there: give it a default', p.table_name)
    FROM present AS p
    WHERE p.table_name IN ('tasks', 'cases') AND p.attnotnull AND NOT p.atthasdef AND p.attidentity = ''
      AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.table_name = p.table_name AND w.column_name = p.column_name
                      AND w.use IN ('written', 'decisive'))
      AND NOT EXISTS (SELECT FROM pg_trigger AS g   -- the CRM may fill it itself
                      WHERE g.tgrelid = p.table_id AND NOT g.tgisinternal AND g.tgtype::integer & 7 = 7)
), name_finding AS (
    SELECT c.relname, NULL, 'a relation of the CRM''s own under a name of the fleet''s',
           'nothing of that name' || coalesce(', or the table of P1, which has these columns in a type that can be read: ' || l.columns, ''),
           'rename it, or drop it where nothing is lost; what stands in it is not taken over'
    FROM pg_class AS c
    LEFT JOIN p1_lack AS l ON l.table_name = c.relname
    WHERE c.relnamespace = 'public'::regnamespace AND current_setting('fleet.names')::jsonb -> 'relations' ? c.relname
      AND c.oid NOT IN (SELECT r.oid FROM p1_relation AS r UNION ALL SELECT i.oid FROM p1_index AS i)
    UNION ALL
    SELECT t.typname, NULL, 'a type of the CRM''s own under a name of the fleet''s', 'nothing of that name', 'rename it'
    FROM pg_type AS t
    WHERE t.typnamespace = 'public'::regnamespace AND t.typrelid = 0 AND current_setting('fleet.names')::jsonb -> 'relations' ? t.typname
    UNION ALL
    SELECT p.proname || '()', NULL, 'a function of the CRM''s own under a name of the fleet''s', 'nothing of that name', 'rename it'
    FROM pg_proc AS p
    WHERE p.pronamespace = 'public'::regnamespace AND current_setting('fleet.names')::jsonb -> 'functions' ? p.proname
      AND p.oid NOT IN (SELECT f.oid FROM p1_function AS f)
      -- What an earlier fleet left behind, because policies still ask it.
      AND NOT (p.proname IN ('current_tenant_id', 'claimed_user') AND EXISTS (SELECT FROM pg_policies AS y WHERE y.policyname = 'fleet_own_tenant'))
    UNION ALL
    SELECT t.table_name, NULL, format('a trigger of the CRM''s own named %s', g.tgname), 'nothing of that name', 'rename it'
    FROM crm_table AS t JOIN pg_trigger AS g ON g.tgrelid = t.oid AND NOT g.tgisinternal
    WHERE current_setting('fleet.names')::jsonb -> 'triggers' ? (g.tgname || ' on ' || t.table_name)
      AND g.oid NOT IN (SELECT x.oid FROM p1_trigger AS x)
    UNION ALL
    SELECT p.table_name, p.column_name, 'a column of the CRM''s own under a name of the fleet''s', 'nothing of that name', 'rename it'
    FROM present AS p JOIN wanted AS w ON w.table_name = p.table_name AND w.column_name = p.column_name
    WHERE w.use = 'fleet' AND current_setting('fleet.names') <> '{}'
)
SELECT table_name, column_name, found, needed, mend FROM database_finding
UNION ALL SELECT * FROM table_finding
UNION ALL SELECT * FROM column_finding
UNION ALL SELECT * FROM name_finding
ORDER BY table_name, column_name NULLS FIRST, found
