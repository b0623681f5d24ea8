-- The tenant's calendar. UTC is for storing instants; days, months and years begin where the tenant is.

CREATE OR REPLACE FUNCTION tenant_zone(p_tenant_id uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce((SELECT c.time_zone FROM tenant_calendar AS c WHERE c.tenant_id = p_tenant_id), 'UTC')
$$;

CREATE OR REPLACE FUNCTION tenant_today(p_tenant_id uuid) RETURNS date
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT (fleet_now() AT TIME ZONE tenant_zone(p_tenant_id))::date
$$;

-- The same time of day some days later, or earlier, by the clocks of a zone: where they are changed in between, a day has
-- 23 or 25 hours. It names nothing but built-in functions, and pins no search_path so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION days_later(p_from timestamptz, p_days integer, p_zone text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE
AS $$
    SELECT ((p_from AT TIME ZONE p_zone) + make_interval(days => p_days)) AT TIME ZONE p_zone
$$;

-- A time zone that does not exist is refused where it is written: read by claim_emails, it would stop the mail of every
-- tenant. Without one the tenant's is taken.
CREATE OR REPLACE FUNCTION check_time_zone() RETURNS trigger
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.time_zone := coalesce(NEW.time_zone, tenant_zone(NEW.tenant_id));
    PERFORM fleet_now() AT TIME ZONE NEW.time_zone;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER calendar_time_zone_checked
    BEFORE INSERT OR UPDATE OF time_zone ON tenant_calendar
    FOR EACH ROW EXECUTE FUNCTION check_time_zone();

CREATE OR REPLACE TRIGGER delivery_time_zone_checked
    BEFORE INSERT OR UPDATE OF time_zone ON tenant_delivery
    FOR EACH ROW EXECUTE FUNCTION check_time_zone();

-- A tenant has one zone. tenant_delivery.time_zone is another name of it: what is written to either is in both. Where nobody
-- has said one, nobody has: the timetable then goes by the installation's.
CREATE OR REPLACE FUNCTION share_time_zone() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'tenant_delivery' THEN
        INSERT INTO tenant_calendar AS c (tenant_id, time_zone)
        SELECT NEW.tenant_id, NEW.time_zone WHERE NEW.time_zone <> tenant_zone(NEW.tenant_id)
        ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone WHERE c.time_zone <> excluded.time_zone;
    ELSE
        UPDATE tenant_delivery AS d SET time_zone = NEW.time_zone
        WHERE d.tenant_id = NEW.tenant_id AND d.time_zone <> NEW.time_zone;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER calendar_time_zone_shared
    AFTER INSERT OR UPDATE OF time_zone ON tenant_calendar
    FOR EACH ROW EXECUTE FUNCTION share_time_zone();

CREATE OR REPLACE TRIGGER delivery_time_zone_shared
    AFTER INSERT OR UPDATE OF time_zone ON tenant_delivery
    FOR EACH ROW EXECUTE FUNCTION share_time_zone();

REVOKE ALL ON FUNCTION tenant_zone(uuid), tenant_today(uuid), days_later(timestamptz, integer, text), check_time_zone(),
    share_time_zone() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION tenant_zone(uuid), tenant_today(uuid), days_later(timestamptz, integer, text)
    TO authenticated, service_role;
