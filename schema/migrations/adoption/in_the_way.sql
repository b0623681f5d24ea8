-- What stands in the way of adopting an earlier P1, one row per finding as in preflight.sql, which says what is expected: all
-- that would go on with the tables that are set aside, and would not see the fleet's. Reads catalogues only.

WITH own AS (   -- whose eyes and hands the fleet's own table does not keep out
    SELECT o.oid FROM pg_roles AS o
    WHERE o.rolname IN ('anon', 'authenticated', 'service_role') OR o.rolsuper OR o.rolbypassrls
       OR pg_has_role(o.oid, (SELECT s.oid FROM pg_roles AS s WHERE s.rolname = 'service_role'), 'USAGE')
)
SELECT r.name AS table_name, NULL AS column_name, format('owned by %s', pg_get_userbyid(r.owner)) AS found,
       format('owned by %s, who will own the fleet''s', current_user) AS needed,
       format('migrate as %s, or ALTER %s %I OWNER TO %I', pg_get_userbyid(r.owner), r.type, r.name, current_user) AS mend
FROM p1_relation AS r WHERE r.owner <> (SELECT u.oid FROM pg_roles AS u WHERE u.rolname = current_user)
UNION ALL
SELECT f.name || '()', NULL, format('owned by %s', pg_get_userbyid(f.owner)), format('owned by %s, or by a role it is in', current_user),
       format('migrate as %s', pg_get_userbyid(f.owner))
FROM p1_function AS f WHERE NOT pg_has_role(f.owner, 'USAGE')
UNION ALL
SELECT 'database', NULL, 'a schema of the CRM''s own named fleet_adopted', 'nothing of that name', 'rename it'
WHERE EXISTS (SELECT FROM p1_relation) AND to_regnamespace('fleet_adopted') IS NOT NULL
UNION ALL
SELECT 'database', NULL, format('%s may not create a schema, in which P1''s tables would be kept', current_user), 'that right',
       format('GRANT CREATE ON DATABASE %I TO %I', current_database(), current_user)
WHERE EXISTS (SELECT FROM p1_relation) AND NOT has_database_privilege(current_database(), 'CREATE')
UNION ALL
SELECT r.name, p.column_name, 'a column of the CRM''s own under a name of the fleet''s', 'nothing of that name', 'rename it'
FROM p1_relation AS r JOIN p1_present AS p ON p.table_id = r.oid
WHERE p.kind IS NULL AND current_setting('fleet.names')::jsonb -> 'columns' ? (r.name || '.' || p.column_name)
UNION ALL
SELECT r.name, p.column_name, 'a column of the CRM''s own that the database fills', 'a plain column, which the fleet''s table can have too',
       'keep it by a trigger of the CRM''s own'
FROM p1_relation AS r JOIN p1_present AS p ON p.table_id = r.oid
JOIN pg_attribute AS a ON a.attrelid = p.table_id AND a.attnum = p.attnum
LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE p.kind IS NULL AND (a.attidentity <> '' OR a.attgenerated <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%')
UNION ALL
SELECT r.name, p.column_name, 'timestamp without time zone', 'timestamptz',
       'set FLEET_NAIVE_ZONE to the zone in which the CRM writes it, such as UTC or Europe/Berlin, and migrate again'
FROM p1_relation AS r JOIN p1_present AS p ON p.table_id = r.oid
WHERE p.kind = 'instant' AND p.base = 'timestamp' AND current_setting('fleet.naive_zone') = ''
UNION ALL
SELECT r.name, NULL, format('a trigger of the CRM''s own named %s', g.tgname), 'nothing of that name', 'rename it'
FROM p1_relation AS r JOIN pg_trigger AS g ON g.tgrelid = r.oid
WHERE current_setting('fleet.names')::jsonb -> 'triggers' ? (g.tgname || ' on ' || r.name)
UNION ALL
SELECT DISTINCT r.name, NULL, format('%s reads it', w.ev_class::regclass), 'nothing that stands on P1''s own table',
       'drop it, and make it again after the migration: it then reads the fleet''s'
FROM p1_relation AS r
JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.classid = 'pg_rewrite'::regclass
JOIN pg_rewrite AS w ON w.oid = d.objid
WHERE w.ev_class NOT IN (SELECT x.oid FROM p1_relation AS x)
UNION ALL
SELECT r.name, NULL, format('%s refers to it (%s)', k.conrelid::regclass, k.conname), 'no foreign key to P1''s own table',
       'drop the key, and make it again after the migration: the rows keep their ids'
FROM p1_relation AS r JOIN pg_constraint AS k ON k.confrelid = r.oid AND k.contype = 'f' AND k.conparentid = 0
WHERE k.conrelid NOT IN (SELECT x.oid FROM p1_relation AS x)
UNION ALL
SELECT DISTINCT r.name, NULL, format('the function %s is made of it', p.oid::regprocedure), 'nothing that stands on P1''s own table',
       'drop it, and make it again after the migration'
FROM p1_relation AS r
JOIN pg_class AS c ON c.oid = r.oid
JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass
    AND (d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid OR d.refclassid = 'pg_type'::regclass AND d.refobjid = c.reltype)
JOIN pg_proc AS p ON p.oid = d.objid
WHERE p.oid NOT IN (SELECT f.oid FROM p1_function AS f)
UNION ALL
SELECT DISTINCT r.name, NULL, format('the policy %s of %s reads it', y.polname, y.polrelid::regclass), 'nothing that stands on P1''s own table',
       'drop it, and make it again after the migration'
FROM p1_relation AS r
JOIN pg_depend AS d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.classid = 'pg_policy'::regclass
JOIN pg_policy AS y ON y.oid = d.objid
WHERE y.polrelid NOT IN (SELECT x.oid FROM p1_relation AS x)
UNION ALL
SELECT r.name, NULL, 'a table that inherits, or is inherited from', 'a plain table', 'give it columns of its own'
FROM p1_relation AS r WHERE EXISTS (SELECT FROM pg_inherits AS i WHERE r.oid IN (i.inhrelid, i.inhparent))
UNION ALL
SELECT r.name, NULL, 'row-level security that binds its owner too', 'an owner who sees all rows',
       format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', r.name)
FROM p1_relation AS r JOIN pg_class AS c ON c.oid = r.oid WHERE c.relforcerowsecurity
UNION ALL
SELECT DISTINCT r.name, NULL,
       format('%s may read or write it', CASE g.grantee WHEN 0 THEN 'everybody' ELSE pg_get_userbyid(g.grantee)::text END),
       'rights of its owner and of anon, authenticated and service_role alone: the fleet''s table answers nobody else',
       CASE g.grantee WHEN 0 THEN format('REVOKE ALL ON %I FROM PUBLIC', r.name)
            ELSE format('GRANT service_role TO %I, or REVOKE ALL ON %I FROM %1$I', pg_get_userbyid(g.grantee), r.name) END
FROM p1_relation AS r
JOIN pg_class AS c ON c.oid = r.oid
CROSS JOIN LATERAL (
    SELECT x.grantee FROM aclexplode(c.relacl) AS x
    UNION
    SELECT x.grantee FROM pg_attribute AS a CROSS JOIN LATERAL aclexplode(a.attacl) AS x WHERE a.attrelid = r.oid
) AS g
WHERE r.type = 'TABLE' AND g.grantee <> r.owner AND g.grantee NOT IN (SELECT o.oid FROM own AS o)
UNION ALL
SELECT r.name, NULL, format('a part of it is published by %s', b.pubname), 'published whole, or not at all',
       format('ALTER PUBLICATION %I SET TABLE %I', b.pubname, r.name)
FROM p1_relation AS r JOIN pg_publication_rel AS x ON x.prrelid = r.oid JOIN pg_publication AS b ON b.oid = x.prpubid
WHERE x.prqual IS NOT NULL OR x.prattrs IS NOT NULL
UNION ALL
SELECT r.name, NULL, format('published by %s, which belongs to %s', b.pubname, pg_get_userbyid(b.pubowner)),
       format('a publication of %s, who adds the fleet''s table to it', current_user),
       format('ALTER PUBLICATION %I DROP TABLE %I, and add it after the migration', b.pubname, r.name)
FROM p1_relation AS r JOIN pg_publication_rel AS x ON x.prrelid = r.oid JOIN pg_publication AS b ON b.oid = x.prpubid
WHERE NOT pg_has_role(b.pubowner, 'USAGE')
