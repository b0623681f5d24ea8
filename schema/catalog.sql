-- What stands in the public schema, one line per object; but for migration_history, a name that a CRM may have.
-- `fleet db check` compares it with schema/snapshot.txt.

SELECT format('table %s%s', c.relname, CASE WHEN c.relrowsecurity THEN ' with row-level security' ELSE '' END) AS line
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
UNION ALL
SELECT format('view %s%s', c.relname,
       CASE WHEN 'security_invoker=true' = ANY (c.reloptions) THEN ' with security_invoker' ELSE '' END)
FROM pg_class AS c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'v' AND c.relname <> 'migration_history'
UNION ALL
SELECT format('column %s.%s', c.relname, a.attname)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
UNION ALL
SELECT format('index %s on %s as %s', i.relname, c.relname, substring(pg_get_indexdef(i.oid) FROM ' USING (.*)'))
FROM pg_index AS x JOIN pg_class AS i ON i.oid = x.indexrelid JOIN pg_class AS c ON c.oid = x.indrelid
WHERE c.relnamespace = 'public'::regnamespace AND x.indisvalid
UNION ALL
SELECT format('trigger %s on %s%s', t.tgname, c.relname,
       CASE t.tgenabled WHEN 'D' THEN ' (disabled)' ELSE '' END)
FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
UNION ALL
SELECT format('policy %s on %s for %s to %s using %s check %s', p.policyname, p.tablename, p.cmd,
              array_to_string(p.roles, ', '), p.qual, p.with_check)
FROM pg_policies AS p
WHERE p.schemaname = 'public'
UNION ALL
SELECT format('function %s(%s)%s, body %s', p.proname, pg_get_function_identity_arguments(p.oid),
              CASE WHEN p.proconfig::text LIKE '%search_path%' THEN ' with its own search_path' ELSE '' END, md5(p.prosrc))
FROM pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('grant execute on %s(%s) to %s', p.proname, pg_get_function_identity_arguments(p.oid), r.rolname)
FROM pg_proc AS p CROSS JOIN LATERAL aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
WHERE p.pronamespace = 'public'::regnamespace AND r.rolname IN ('anon', 'authenticated', 'service_role')
  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
UNION ALL
SELECT format('grant %s on %s to %s', lower(a.privilege_type), c.relname, r.rolname)
FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')
  AND r.rolname IN ('anon', 'authenticated', 'service_role')
  AND a.privilege_type IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
UNION ALL
SELECT format('grant %s (%s) on %s to %s', lower(a.privilege_type), t.attname, c.relname, r.rolname)
FROM pg_attribute AS t JOIN pg_class AS c ON c.oid = t.attrelid CROSS JOIN LATERAL aclexplode(t.attacl) AS a
JOIN pg_roles AS r ON r.oid = a.grantee
WHERE c.relnamespace = 'public'::regnamespace AND r.rolname IN ('anon', 'authenticated', 'service_role')
ORDER BY 1
