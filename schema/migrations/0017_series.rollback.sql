DROP TABLE IF EXISTS public_holidays;
DROP INDEX IF EXISTS idx_actions_mailbox;
ALTER TABLE IF EXISTS inbound_messages
    DROP COLUMN IF EXISTS away_until, DROP COLUMN IF EXISTS answer, DROP COLUMN IF EXISTS sentiment;
ALTER TABLE IF EXISTS fleet_defaults DROP COLUMN IF EXISTS deal_max_silence_days;
ALTER TABLE IF EXISTS tenant_delivery
    DROP COLUMN IF EXISTS mails_per_day, DROP COLUMN IF EXISTS mails_per_week, DROP COLUMN IF EXISTS send_days,
    DROP COLUMN IF EXISTS holidays, DROP COLUMN IF EXISTS deal_max_silence_days;
ALTER TABLE IF EXISTS engines DROP COLUMN IF EXISTS urgency;
ALTER TABLE IF EXISTS scheduled_actions
    DROP COLUMN IF EXISTS series, DROP COLUMN IF EXISTS mailbox, DROP COLUMN IF EXISTS code,
    DROP COLUMN IF EXISTS sent_body;
ALTER TABLE IF EXISTS compliance_checks DROP COLUMN IF EXISTS reminder_hold;
ALTER TABLE IF EXISTS quotes
    DROP COLUMN IF EXISTS follow_up_series, DROP COLUMN IF EXISTS follow_up_hold, DROP COLUMN IF EXISTS follow_up_ended_for;
ALTER TABLE IF EXISTS deals
    DROP COLUMN IF EXISTS follow_up_series, DROP COLUMN IF EXISTS follow_up_hold, DROP COLUMN IF EXISTS follow_up_ended_for;
