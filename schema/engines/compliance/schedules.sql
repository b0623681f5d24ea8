-- Compliance: recurring duties, whom they concern, and when they are due next.

-- The day of the month a schedule is anchored on: 31 Jan, 28 Feb, 31 Mar are all the 31st. It follows a due
-- date set by hand, and survives the shorter months of an advance. Mending a schedule clears its last error.
CREATE OR REPLACE FUNCTION anchor_compliance_schedule() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_due constant date := (NEW.next_due_at AT TIME ZONE tenant_zone(NEW.tenant_id))::date;
    v_month_end constant date := (date_trunc('month', v_due::timestamp) + interval '1 month - 1 day')::date;
BEGIN
    IF NEW.anchor_day IS NULL OR extract(day FROM v_due) <> least(NEW.anchor_day, extract(day FROM v_month_end)) THEN
        NEW.anchor_day := extract(day FROM v_due);
    END IF;
    NEW.last_error := NULL;
    NEW.last_error_at := NULL;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER schedule_anchored
    BEFORE INSERT OR UPDATE OF next_due_at, frequency, target_entity_type, target_filter, is_active ON compliance_schedule
    FOR EACH ROW EXECUTE FUNCTION anchor_compliance_schedule();

-- Moves a schedule to its next due date. Returns the new date.
CREATE OR REPLACE FUNCTION advance_compliance_schedule(p_schedule_id uuid) RETURNS timestamptz
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_next timestamptz;
BEGIN
    UPDATE compliance_schedule AS s SET next_due_at = compliance_date_after(
        s.next_due_at, compliance_months(s.frequency), s.anchor_day, tenant_zone(s.tenant_id))
    WHERE s.id = p_schedule_id
    RETURNING s.next_due_at INTO v_next;
    IF v_next IS NULL THEN
        RAISE EXCEPTION 'no compliance schedule %', p_schedule_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN v_next;
END
$$;

-- Moves a schedule that is several periods behind to its latest one: nobody can still fulfil the ones before. Returns
-- how many periods that passes over.
CREATE OR REPLACE FUNCTION catch_up_compliance_schedule(p_schedule_id uuid) RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_passed integer := 0;
    v_schedule compliance_schedule;
    v_zone text;
    v_due timestamptz;
    v_next timestamptz;
BEGIN
    SELECT * INTO STRICT v_schedule FROM compliance_schedule WHERE id = p_schedule_id;
    v_zone := tenant_zone(v_schedule.tenant_id);
    v_next := v_schedule.next_due_at;
    LOOP
        v_due := v_next;
        v_next := compliance_date_after(v_due, compliance_months(v_schedule.frequency), v_schedule.anchor_day, v_zone);
        EXIT WHEN v_next > fleet_now();
        v_passed := v_passed + 1;
    END LOOP;
    IF v_passed > 0 THEN
        UPDATE compliance_schedule SET next_due_at = v_due WHERE id = p_schedule_id;
    END IF;
    RETURN v_passed;
END
$$;

-- The entities of one type as documents, so that filters and required fields are looked up the same way
-- whichever table they come from and whichever columns a CRM added to it. What was deleted or archived is none.
CREATE OR REPLACE VIEW compliance_entities WITH (security_invoker = true) AS
SELECT 'client' AS entity_type, c.id, c.tenant_id, c.company_name AS name, c.owner_id, to_jsonb(c) AS document
FROM clients AS c
WHERE NOT is_gone(to_jsonb(c))
UNION ALL
SELECT 'contact', c.id, c.tenant_id, nullif(concat_ws(' ', c.first_name, c.last_name), ''), l.owner_id, to_jsonb(c)
FROM contacts AS c LEFT JOIN clients AS l ON l.id = c.client_id AND l.tenant_id = c.tenant_id
WHERE NOT is_gone(to_jsonb(c))
UNION ALL
SELECT 'vendor', v.id, v.tenant_id, v.company_name, v.owner_id, to_jsonb(v)
FROM vendors AS v
WHERE NOT is_gone(to_jsonb(v));

-- Creates one check per target entity for the period that ends when the schedule is due at p_due_at, and returns how many
-- are new. p_targets: NULL takes the schedule's own filter, an object is a filter instead of it, an array names the
-- entities outright ([{"id"}]). A filter key outside the white list is an error.
CREATE OR REPLACE FUNCTION create_compliance_checks(p_schedule compliance_schedule, p_due_at timestamptz, p_targets jsonb)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_zone constant text := tenant_zone(p_schedule.tenant_id);
    v_start constant timestamptz := compliance_date_after(
        p_due_at, -compliance_months(p_schedule.frequency), p_schedule.anchor_day, v_zone);
    v_filter jsonb;
    v_allowed text[];
    v_unknown text;
    v_created integer;
BEGIN
    v_filter := CASE jsonb_typeof(p_targets)
        WHEN 'array' THEN jsonb_build_object('id', jsonb_path_query_array(p_targets, '$[*].id'))
        ELSE coalesce(p_targets, p_schedule.target_filter)
    END;
    IF jsonb_typeof(v_filter) <> 'object' THEN
        RAISE EXCEPTION 'the target filter must be an object' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    v_allowed := CASE p_schedule.target_entity_type
        WHEN 'client' THEN ARRAY['id', 'company_name', 'owner_id', 'industry', 'country', 'status']
        WHEN 'contact' THEN ARRAY['id', 'client_id', 'title', 'is_primary']
        ELSE ARRAY['id', 'company_name', 'owner_id', 'category', 'country', 'status']
    END;
    SELECT k INTO v_unknown FROM jsonb_object_keys(v_filter) AS k WHERE k <> ALL (v_allowed) ORDER BY k LIMIT 1;
    IF v_unknown IS NOT NULL THEN
        RAISE EXCEPTION 'unknown target filter key "%", a % can be chosen by: %',
            v_unknown, p_schedule.target_entity_type, array_to_string(v_allowed, ', ')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    WITH created AS (
        INSERT INTO compliance_checks (tenant_id, schedule_id, compliance_type, entity_type, entity_id, entity_name,
                                       period_start, period_end, due_at, required_fields,
                                       notification_days_before, escalation_days_after)
        SELECT p_schedule.tenant_id, p_schedule.id, p_schedule.compliance_type, e.entity_type, e.id, e.name,
               (v_start AT TIME ZONE v_zone)::date, (p_due_at AT TIME ZONE v_zone)::date,
               p_due_at, p_schedule.required_fields,
               p_schedule.notification_days_before, p_schedule.escalation_days_after
        FROM compliance_entities AS e
        WHERE e.entity_type = p_schedule.target_entity_type AND e.tenant_id = p_schedule.tenant_id
          AND NOT EXISTS (
              SELECT FROM jsonb_each(v_filter) AS f
              WHERE CASE jsonb_typeof(f.value) WHEN 'array' THEN NOT f.value @> (e.document -> f.key)
                                               ELSE f.value IS DISTINCT FROM e.document -> f.key END)
          -- The dates of a period move with the tenant's zone; the instant at which it is due does not.
          AND NOT EXISTS (
              SELECT FROM compliance_checks AS c
              WHERE c.tenant_id = p_schedule.tenant_id AND c.schedule_id = p_schedule.id
                AND c.entity_type = e.entity_type AND c.entity_id = e.id AND c.due_at = p_due_at)
        ON CONFLICT (tenant_id, schedule_id, entity_type, entity_id, period_start) DO NOTHING
        RETURNING id
    )
    SELECT count(*) INTO v_created FROM created;
    RETURN v_created;
END
$$;

-- The checks of a schedule's present period, which ends with its next due date.
CREATE OR REPLACE FUNCTION create_compliance_checks_from_schedule(p_schedule_id uuid, p_targets jsonb DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_schedule compliance_schedule;
BEGIN
    SELECT * INTO v_schedule FROM compliance_schedule WHERE id = p_schedule_id;
    IF v_schedule.id IS NULL THEN
        RAISE EXCEPTION 'no compliance schedule %', p_schedule_id USING ERRCODE = 'no_data_found';
    END IF;
    RETURN create_compliance_checks(v_schedule, v_schedule.next_due_at, p_targets);
END
$$;

-- What a run does with a schedule, which the caller has locked. Inside its notification window it makes the checks of the
-- period and advances; several periods behind, it goes to the latest one, because nobody can still fulfil those before.
-- Until that period is due, each run makes the checks of entities that came later. Returns how many periods it passed
-- over.
CREATE OR REPLACE FUNCTION work_compliance_schedule(
    p_schedule_id uuid, p_run bigint, OUT passed integer, OUT created integer
)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_now constant timestamptz := fleet_now();
    v_schedule compliance_schedule;
BEGIN
    passed := 0;
    created := 0;
    SELECT * INTO STRICT v_schedule FROM compliance_schedule WHERE id = p_schedule_id;
    IF v_schedule.open_due_at > v_now THEN
        created := create_compliance_checks(v_schedule, v_schedule.open_due_at, NULL);
    END IF;
    IF v_schedule.notify_at <= v_now THEN
        passed := catch_up_compliance_schedule(p_schedule_id);
        SELECT * INTO STRICT v_schedule FROM compliance_schedule WHERE id = p_schedule_id;
        created := created + create_compliance_checks(v_schedule, v_schedule.next_due_at, NULL);
        PERFORM advance_compliance_schedule(p_schedule_id);
        UPDATE compliance_schedule SET open_due_at = v_schedule.next_due_at WHERE id = p_schedule_id;
    END IF;
    UPDATE compliance_schedule SET looked_run = coalesce(p_run, looked_run) WHERE id = p_schedule_id;
END
$$;

REVOKE ALL ON FUNCTION anchor_compliance_schedule(), advance_compliance_schedule(uuid), catch_up_compliance_schedule(uuid),
    create_compliance_checks(compliance_schedule, timestamptz, jsonb), create_compliance_checks_from_schedule(uuid, jsonb),
    work_compliance_schedule(uuid, bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION advance_compliance_schedule(uuid), create_compliance_checks(compliance_schedule, timestamptz, jsonb),
    create_compliance_checks_from_schedule(uuid, jsonb) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION catch_up_compliance_schedule(uuid), work_compliance_schedule(uuid, bigint) TO service_role;
