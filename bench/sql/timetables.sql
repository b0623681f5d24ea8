-- Each tenant in one of 40 zones, and one in twenty with hours of its own.
INSERT INTO tenant_calendar (tenant_id, time_zone)
SELECT t.id, z.names[1 + t.n % 40] FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM tenants) AS t
CROSS JOIN (SELECT string_to_array(
    'Pacific/Honolulu America/Anchorage America/Los_Angeles America/Denver America/Phoenix America/Chicago America/Mexico_City'
    ' America/New_York America/Toronto America/Bogota America/Lima America/Caracas America/Halifax America/St_Johns'
    ' America/Sao_Paulo America/Argentina/Buenos_Aires Atlantic/Azores Europe/London Europe/Dublin Europe/Lisbon Europe/Berlin'
    ' Europe/Paris Europe/Madrid Europe/Athens Europe/Helsinki Africa/Cairo Africa/Johannesburg Africa/Nairobi Asia/Riyadh'
    ' Asia/Tehran Asia/Dubai Asia/Karachi Asia/Kolkata Asia/Kathmandu Asia/Dhaka Asia/Bangkok Asia/Shanghai Asia/Tokyo'
    ' Australia/Sydney Pacific/Auckland', ' ') AS names) AS z;

INSERT INTO tenant_timetable (tenant_id, engine, cron)
SELECT t.id, 'deals', format('%s %s * * 1-5', 15 * (t.n % 4), t.n % 24)
FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM tenants) AS t WHERE t.n % 20 = 0;
VACUUM ANALYZE tenant_calendar;
VACUUM ANALYZE tenant_timetable;
