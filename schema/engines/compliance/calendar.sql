-- Compliance: when its dates fall in the tenant's calendar, and when the engine looks at what next.

-- Whole months a frequency stands for; NULL for an unknown one.
CREATE OR REPLACE FUNCTION compliance_months(p_frequency text) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE p_frequency WHEN 'monthly' THEN 1 WHEN 'quarterly' THEN 3 WHEN 'semi_annual' THEN 6 WHEN 'annual' THEN 12 END
$$;

-- From when on a due date is spoken of: the wished days before, but never less than eight. The timetable comes once a
-- week, so that one of its slots lies in these days whatever the wish, the clocks and a late start make of them.
CREATE OR REPLACE FUNCTION compliance_notice_at(p_due_at timestamptz, p_days_before integer, p_zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT days_later(p_due_at, -greatest(p_days_before, 8), p_zone)
$$;

-- The due date some months after this one, or before it, from the anchor day and at the same time of day in the zone.
CREATE OR REPLACE FUNCTION compliance_date_after(p_due_at timestamptz, p_months integer, p_anchor_day integer, p_zone text)
RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT (m.month + make_interval(days => least(p_anchor_day, extract(day FROM m.month + interval '1 month - 1 day')::integer) - 1)
            + (m.due - date_trunc('day', m.due))) AT TIME ZONE p_zone
    FROM (SELECT p_due_at AT TIME ZONE p_zone AS due,
                 date_trunc('month', p_due_at AT TIME ZONE p_zone) + make_interval(months => p_months) AS month) AS m
$$;

CREATE OR REPLACE FUNCTION keep_schedule_notify_at() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.notify_at := compliance_notice_at(NEW.next_due_at, NEW.notification_days_before, tenant_zone(NEW.tenant_id));
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER schedule_waits
    BEFORE INSERT OR UPDATE ON compliance_schedule
    FOR EACH ROW EXECUTE FUNCTION keep_schedule_notify_at();

-- When the engine looks at a check again: to remind (a week after the last time, with two hours to spare, because the
-- weekly slot comes an hour earlier where the clocks change; while one is on its way, none), when it is due, and to
-- escalate. NULL: never.
CREATE OR REPLACE FUNCTION compliance_next_step_at(p_check compliance_checks, p_zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE
        WHEN p_check.status IN ('pending', 'awaiting_response') AND p_check.reminder_hold IS NOT NULL THEN p_check.due_at
        WHEN p_check.status IN ('pending', 'awaiting_response') THEN least(p_check.due_at, coalesce(
            p_check.reminder_sent_at + interval '166 hours',
            compliance_notice_at(p_check.due_at, p_check.notification_days_before, p_zone)))
        WHEN p_check.status = 'in_progress' THEN p_check.due_at
        WHEN p_check.status = 'overdue' THEN days_later(p_check.due_at, p_check.escalation_days_after, p_zone)
    END
$$;

-- Checks of a schedule that was switched off rest until it is switched on again.
CREATE OR REPLACE FUNCTION keep_check_next_step_at() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.next_step_at := CASE WHEN NOT EXISTS (
        SELECT FROM compliance_schedule AS s
        WHERE s.id = NEW.schedule_id AND s.tenant_id = NEW.tenant_id AND NOT s.is_active
    ) THEN compliance_next_step_at(NEW, tenant_zone(NEW.tenant_id)) END;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER check_waits
    BEFORE INSERT OR UPDATE ON compliance_checks
    FOR EACH ROW EXECUTE FUNCTION keep_check_next_step_at();

CREATE OR REPLACE FUNCTION rest_checks_of_schedule() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE compliance_checks AS c SET next_step_at = NULL  -- the trigger of the check knows better
    WHERE c.tenant_id = NEW.tenant_id AND c.schedule_id = NEW.id
      AND c.status IN ('pending', 'in_progress', 'awaiting_response', 'overdue');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER schedule_switched
    AFTER UPDATE OF is_active ON compliance_schedule
    FOR EACH ROW WHEN (OLD.is_active <> NEW.is_active) EXECUTE FUNCTION rest_checks_of_schedule();

-- Where the tenant's days begin elsewhere, windows, anchors and escalations move with them.
CREATE OR REPLACE FUNCTION move_compliance_to_zone() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE compliance_schedule AS s SET next_due_at = s.next_due_at WHERE s.tenant_id = NEW.tenant_id;
    UPDATE compliance_checks AS c SET next_step_at = NULL
    WHERE c.tenant_id = NEW.tenant_id AND c.next_step_at IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER compliance_follows_calendar
    AFTER INSERT OR UPDATE OF time_zone ON tenant_calendar
    FOR EACH ROW EXECUTE FUNCTION move_compliance_to_zone();

REVOKE ALL ON FUNCTION compliance_months(text), compliance_notice_at(timestamptz, integer, text),
    compliance_date_after(timestamptz, integer, integer, text), keep_schedule_notify_at(),
    compliance_next_step_at(compliance_checks, text), keep_check_next_step_at(), rest_checks_of_schedule(),
    move_compliance_to_zone() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION compliance_months(text), compliance_date_after(timestamptz, integer, integer, text)
    TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION compliance_notice_at(timestamptz, integer, text), compliance_next_step_at(compliance_checks, text)
    TO service_role;
