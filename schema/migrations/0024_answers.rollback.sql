DROP TABLE IF EXISTS forwarded_mail;
DO $$
BEGIN
    IF to_regclass('public.scheduled_actions') IS NOT NULL THEN
        DELETE FROM scheduled_actions WHERE kind = 'forward';
        ALTER TABLE scheduled_actions DROP CONSTRAINT IF EXISTS scheduled_actions_kind_check;
        ALTER TABLE scheduled_actions ADD CONSTRAINT scheduled_actions_kind_check CHECK (kind IN ('email', 'task', 'case'));
        ALTER TABLE scheduled_actions DROP COLUMN IF EXISTS text_version, DROP COLUMN IF EXISTS sent_hash,
            DROP COLUMN IF EXISTS guards;
    END IF;
END
$$;
ALTER TABLE IF EXISTS tenant_delivery DROP COLUMN IF EXISTS suggestion_days, DROP COLUMN IF EXISTS wrote_since, DROP COLUMN IF EXISTS forward_replies_to;
