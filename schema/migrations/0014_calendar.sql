-- The tenant's calendar: the zone in which its days begin and end, and the locale in which its people write dates.

CREATE TABLE tenant_calendar (
    tenant_id uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    time_zone text NOT NULL DEFAULT 'UTC',    -- IANA: Europe/Berlin
    locale    text CHECK (locale ~ '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$')    -- en-US; NULL: nobody has said
);

-- The same zone, wherever it is written: schema/functions/calendar.sql keeps the two equal. NULL takes the tenant's.
ALTER TABLE tenant_delivery ALTER COLUMN time_zone DROP DEFAULT;
DROP TRIGGER IF EXISTS delivery_time_zone_checked ON tenant_delivery;
DROP FUNCTION IF EXISTS check_delivery_time_zone();

-- What a row waits for depends on its tenant's zone from here on, so triggers keep it instead of an expression.
ALTER TABLE quotes ALTER COLUMN due_at DROP EXPRESSION;
ALTER TABLE compliance_schedule ALTER COLUMN notify_at DROP EXPRESSION;
ALTER TABLE compliance_checks ALTER COLUMN next_step_at DROP EXPRESSION;
DROP FUNCTION IF EXISTS next_compliance_date(timestamptz, text, integer);

-- The latest period whose checks were made: until it is due, each run looks once for entities that came later.
ALTER TABLE compliance_schedule
    ADD COLUMN open_due_at timestamptz,
    ADD COLUMN looked_run bigint NOT NULL DEFAULT 0;
CREATE INDEX idx_compliance_schedule_open ON compliance_schedule (open_due_at, tenant_id) WHERE is_active;
