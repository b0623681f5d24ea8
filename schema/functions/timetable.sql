-- Tenants' timetables: which cron holds for whom, and what a cron may be. When one fires is computed in workers/runtime/cron.py.

-- The numbers that a field of a cron stands for: *, 5, 1-5, each with or without /2, and lists of them; NULL if it cannot be read.
CREATE OR REPLACE FUNCTION cron_field(p_field text, p_low integer, p_high integer) RETURNS integer[]
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    WITH items AS (
        SELECT coalesce(m.parts[2]::integer, p_low) AS low,
               coalesce(m.parts[3]::integer, CASE WHEN m.parts[1] IS NULL AND m.parts[4] IS NULL THEN m.parts[2]::integer END, p_high) AS high,
               coalesce(m.parts[4]::integer, 1) AS step, m.parts IS NOT NULL AND m.parts[3]::integer > m.parts[2]::integer IS NOT FALSE AS said
        FROM string_to_table(p_field, ',') AS x (item)
        LEFT JOIN LATERAL regexp_match(x.item, '^(?:(\*)|(\d{1,2})(?:-(\d{1,2}))?)(?:/(\d{1,2}))?$') AS m (parts) ON true
    )
    SELECT CASE WHEN (SELECT bool_and(i.said AND i.low BETWEEN p_low AND p_high AND i.high <= p_high AND i.step > 0) FROM items AS i)
        THEN ARRAY(SELECT DISTINCT n FROM items AS i, generate_series(i.low, i.high, i.step) AS n ORDER BY n) END
$$;

-- Why a text is no cron for an engine, for people; NULL if it is one.
CREATE OR REPLACE FUNCTION cron_problem(p_cron text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_fields constant text[] := regexp_split_to_array(btrim(p_cron), '\s+');
    v_field record;
BEGIN
    IF cardinality(v_fields) <> 5 THEN
        RETURN 'it needs five fields: minute hour day month weekday, such as 0 9 * * 1-5';
    END IF;
    FOR v_field IN
        SELECT f.* FROM (VALUES
            (1, 'minute', 0, 59), (2, 'hour', 0, 23), (3, 'day', 1, 31), (4, 'month', 1, 12), (5, 'weekday', 0, 7)
        ) AS f (n, name, low, high)
    LOOP
        IF cron_field(v_fields[v_field.n], v_field.low, v_field.high) IS NULL THEN
            RETURN format('its %s is %s, and takes numbers from %s to %s: *, 5, 1-5, */2, or several with commas in between',
                          v_field.name, v_fields[v_field.n], v_field.low, v_field.high);
        END IF;
    END LOOP;
    IF cardinality(cron_field(v_fields[1], 0, 59)) > 4 THEN
        RETURN 'an engine begins four times an hour at most';
    ELSIF NOT EXISTS (
        SELECT FROM unnest(cron_field(v_fields[3], 1, 31)) AS d (day), unnest(cron_field(v_fields[4], 1, 12)) AS m (month)
        WHERE d.day <= CASE WHEN m.month = 2 THEN 29 WHEN m.month IN (4, 6, 9, 11) THEN 30 ELSE 31 END) THEN
        RETURN 'no month has such a day';
    END IF;
    RETURN NULL;
END
$$;

-- A cron that cannot be read is refused where it is written: read by the catch-up, it would stop every tenant's engines.
CREATE OR REPLACE FUNCTION check_cron() RETURNS trigger
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    v_problem constant text := cron_problem(NEW.cron);
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION '%.cron cannot be "%": %', NEW.engine, NEW.cron, v_problem USING ERRCODE = 'invalid_parameter_value';
    END IF;
    NEW.cron := regexp_replace(btrim(NEW.cron), '\s+', ' ', 'g');
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER timetable_cron_checked
    BEFORE INSERT OR UPDATE OF cron ON tenant_timetable
    FOR EACH ROW WHEN (NEW.cron IS NOT NULL) EXECUTE FUNCTION check_cron();

-- The timetable of an engine for these tenants; NULL for whatever is the fleet's.
CREATE OR REPLACE FUNCTION timetables_of(p_engine text, p_tenants uuid[])
RETURNS TABLE (tenant_id uuid, cron text, time_zone text, paused boolean)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT t.id, x.cron, c.time_zone, coalesce(x.paused, false)
    FROM unnest(p_tenants) AS t (id)
    LEFT JOIN tenant_timetable AS x ON x.tenant_id = t.id AND x.engine = p_engine
    LEFT JOIN tenant_calendar AS c ON c.tenant_id = t.id
$$;

-- All timetables that differ, and how many tenants go by each; NULL for whatever is the fleet's. Tenants are counted by
-- zones first: most have set nothing else, and the tick asks every minute.
CREATE OR REPLACE FUNCTION timetables_in_use() RETURNS TABLE (engine text, cron text, time_zone text, tenants bigint)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    WITH zones AS MATERIALIZED (
        SELECT c.time_zone, count(*) AS n FROM tenant_calendar AS c GROUP BY c.time_zone
        UNION ALL
        SELECT NULL, (SELECT count(*) FROM tenants) - (SELECT count(*) FROM tenant_calendar)
    ), own AS MATERIALIZED (
        SELECT x.engine, x.cron, x.paused, c.time_zone, count(*) AS n
        FROM tenant_timetable AS x LEFT JOIN tenant_calendar AS c ON c.tenant_id = x.tenant_id
        WHERE x.cron IS NOT NULL OR x.paused
        GROUP BY x.engine, x.cron, x.paused, c.time_zone
    )
    SELECT e.name, NULL, z.time_zone, d.n
    FROM engines AS e CROSS JOIN zones AS z
    CROSS JOIN LATERAL (
        SELECT z.n - coalesce(sum(o.n), 0) AS n FROM own AS o
        WHERE o.engine = e.name AND o.time_zone IS NOT DISTINCT FROM z.time_zone) AS d
    WHERE d.n > 0
    UNION ALL
    SELECT o.engine, o.cron, o.time_zone, o.n FROM own AS o WHERE NOT o.paused
$$;

REVOKE ALL ON FUNCTION cron_field(text, integer, integer), cron_problem(text), check_cron(), timetables_of(text, uuid[]),
    timetables_in_use() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION timetables_of(text, uuid[]), timetables_in_use() TO service_role;
