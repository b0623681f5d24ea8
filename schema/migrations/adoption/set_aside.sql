-- Moves what P1 has here out of the fleet's way, whole: into the schema fleet_adopted, where nothing of it is changed. What
-- stays with its rows (keys, indexes, policies, grants, sequences, comments) goes along; but for its references to the CRM's
-- rows, which must not be kept from going by what is only remembered. Each step that is to be taken later
-- is noted: on the fleet's own table once it is made ('made'), after its rows are in it ('filled'), to give all of it back
-- ('back'). Expects shape.sql; does nothing where there is no P1. All in the transaction that makes the fleet's tables.

DO $$
DECLARE
    v_object record;
    v_home text;
BEGIN
    IF NOT EXISTS (SELECT FROM p1_relation) THEN
        RETURN;
    END IF;
    CREATE SCHEMA fleet_adopted;
    CREATE TABLE fleet_adopted.steps (n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, stage text NOT NULL, statement text NOT NULL);
    CREATE TABLE fleet_adopted.not_taken (
        table_name text NOT NULL, id uuid NOT NULL, reason text NOT NULL, PRIMARY KEY (table_name, id)
    );
    -- Those that give it back begin with the last one. What somebody dropped meanwhile is not given back, and a key to rows of
    -- which some went meanwhile holds for new ones only.
    CREATE FUNCTION fleet_adopted.take_steps(p_stage text) RETURNS void LANGUAGE plpgsql SET search_path = public, pg_temp AS $steps$
    DECLARE
        v_statement text;
    BEGIN
        FOR v_statement IN
            SELECT s.statement FROM fleet_adopted.steps AS s WHERE s.stage = p_stage
            ORDER BY CASE p_stage WHEN 'back' THEN -s.n ELSE s.n END
        LOOP
            BEGIN
                EXECUTE v_statement;
            EXCEPTION WHEN foreign_key_violation THEN
                EXECUTE v_statement || ' NOT VALID';
            WHEN undefined_table OR undefined_column OR undefined_function OR undefined_object THEN
                IF p_stage <> 'back' THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
        DELETE FROM fleet_adopted.steps AS s WHERE s.stage = p_stage;
    END
    $steps$;

    -- The CRM's programs write columns and wait for triggers that it added to these tables.
    CREATE TABLE fleet_adopted.added_columns AS
    SELECT p.table_name, p.column_name,
           format_type(a.atttypid, a.atttypmod) || coalesce(' DEFAULT ' || pg_get_expr(d.adbin, d.adrelid), '') AS definition
    FROM p1_relation AS r
    JOIN p1_present AS p ON p.table_id = r.oid AND p.kind IS NULL
    JOIN pg_attribute AS a ON a.attrelid = p.table_id AND a.attnum = p.attnum
    LEFT JOIN pg_attrdef AS d ON d.adrelid = p.table_id AND d.adnum = p.attnum
    ORDER BY p.table_name, p.attnum;
    INSERT INTO fleet_adopted.steps (stage, statement)
    SELECT 'made', format('ALTER TABLE public.%I ADD COLUMN %I %s', c.table_name, c.column_name, c.definition)
    FROM fleet_adopted.added_columns AS c;
    -- Some hosts give everybody every right to a new table: nobody sees these rows before the fleet's own policies stand.
    INSERT INTO fleet_adopted.steps (stage, statement)
    SELECT 'made', format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', r.name) FROM p1_relation AS r WHERE r.type = 'TABLE';
    INSERT INTO fleet_adopted.steps (stage, statement)
    SELECT 'made', format('ALTER PUBLICATION %I ADD TABLE public.%I', b.pubname, r.name)
    FROM pg_publication_rel AS x JOIN pg_publication AS b ON b.oid = x.prpubid JOIN p1_relation AS r ON r.oid = x.prrelid;
    INSERT INTO fleet_adopted.steps (stage, statement)
    SELECT 'filled', format('ANALYZE public.%I', r.name) FROM p1_relation AS r WHERE r.type = 'TABLE';
    INSERT INTO fleet_adopted.steps (stage, statement)
    SELECT 'filled', pg_get_triggerdef(g.oid)
                     || CASE g.tgenabled WHEN 'O' THEN '' ELSE format('; ALTER TABLE public.%I %s TRIGGER %I', r.name, m.word, g.tgname) END
    FROM p1_relation AS r JOIN pg_trigger AS g ON g.tgrelid = r.oid AND NOT g.tgisinternal
    LEFT JOIN (VALUES ('D', 'DISABLE'), ('R', 'ENABLE REPLICA'), ('A', 'ENABLE ALWAYS')) AS m (enabled, word) ON m.enabled = g.tgenabled::text
    WHERE r.type = 'TABLE'
    ORDER BY r.name, g.tgname;

    FOR v_object IN
        SELECT t.*, pg_get_triggerdef(t.oid) AS definition, obj_description(t.oid, 'pg_trigger') AS comment, m.word
        FROM p1_trigger AS t
        LEFT JOIN (VALUES ('D', 'DISABLE'), ('R', 'ENABLE REPLICA'), ('A', 'ENABLE ALWAYS')) AS m (enabled, word) ON m.enabled = t.enabled::text
    LOOP
        INSERT INTO fleet_adopted.steps (stage, statement) VALUES ('back', concat_ws('; ', v_object.definition,
            'ALTER TABLE public.deals ' || v_object.word || format(' TRIGGER %I', v_object.name),
            format('COMMENT ON TRIGGER %I ON public.deals IS ', v_object.name) || quote_literal(v_object.comment)));
        EXECUTE format('DROP TRIGGER %I ON public.deals', v_object.name);
    END LOOP;
    FOR v_object IN
        SELECT i.* FROM p1_index AS i JOIN pg_index AS x ON x.indexrelid = i.oid AND x.indrelid = to_regclass('public.deals')
    LOOP
        EXECUTE format('ALTER INDEX public.%I RENAME TO %I', v_object.name, 'fleet_adopted_' || v_object.name);
        INSERT INTO fleet_adopted.steps (stage, statement)
        VALUES ('back', format('ALTER INDEX IF EXISTS public.%I RENAME TO %I', 'fleet_adopted_' || v_object.name, v_object.name));
    END LOOP;
    FOR v_object IN
        SELECT r.name AS table_name, k.conname AS name, pg_get_constraintdef(k.oid) AS definition, obj_description(k.oid, 'pg_constraint') AS comment
        FROM p1_relation AS r JOIN pg_constraint AS k ON k.conrelid = r.oid AND k.contype = 'f'
        WHERE k.confrelid NOT IN (SELECT x.oid FROM p1_relation AS x)
    LOOP
        INSERT INTO fleet_adopted.steps (stage, statement)
        SELECT 'back', format('COMMENT ON CONSTRAINT %I ON public.%I IS %L', v_object.name, v_object.table_name, v_object.comment)
        WHERE v_object.comment IS NOT NULL;
        INSERT INTO fleet_adopted.steps (stage, statement)
        VALUES ('back', format('ALTER TABLE public.%I ADD CONSTRAINT %I %s', v_object.table_name, v_object.name, v_object.definition));
        EXECUTE format('ALTER TABLE public.%I DROP CONSTRAINT %I', v_object.table_name, v_object.name);
    END LOOP;
    FOR v_object IN
        SELECT r.type, format('%I', r.name) AS name FROM p1_relation AS r
        UNION ALL
        SELECT 'FUNCTION', format('%I(%s)', f.name, pg_get_function_identity_arguments(f.oid)) FROM p1_function AS f
    LOOP
        EXECUTE format('ALTER %s public.%s SET SCHEMA fleet_adopted', v_object.type, v_object.name);
        INSERT INTO fleet_adopted.steps (stage, statement)
        VALUES ('back', format('ALTER %s fleet_adopted.%s SET SCHEMA public', v_object.type, v_object.name));
    END LOOP;
END
$$;
