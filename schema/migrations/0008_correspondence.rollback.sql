DROP INDEX IF EXISTS idx_actions_sent_to;
ALTER TABLE IF EXISTS scheduled_actions DROP COLUMN IF EXISTS sent_subject;
DO $$
BEGIN
    IF to_regclass('public.inbound_messages') IS NOT NULL THEN
        UPDATE inbound_messages SET kind = 'message' WHERE kind IN ('own', 'unplaced');
        ALTER TABLE inbound_messages
            DROP COLUMN IF EXISTS digest,
            DROP CONSTRAINT IF EXISTS inbound_messages_kind_check,
            ADD CONSTRAINT inbound_messages_kind_check CHECK (kind IN
                ('reply', 'message', 'auto_reply', 'out_of_office', 'bounce', 'bulk'));
    END IF;
END
$$;
