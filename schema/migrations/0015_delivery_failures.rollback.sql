DO $$
BEGIN
    IF to_regclass('public.inbound_messages') IS NOT NULL THEN
        UPDATE inbound_messages SET kind = 'auto_reply' WHERE kind = 'complaint';
        ALTER TABLE inbound_messages DROP CONSTRAINT IF EXISTS inbound_messages_kind_check;
        ALTER TABLE inbound_messages ADD CONSTRAINT inbound_messages_kind_check
            CHECK (kind IN ('reply', 'message', 'own', 'unplaced', 'auto_reply', 'out_of_office', 'bounce', 'bulk'));
    END IF;
END
$$;
DROP TABLE IF EXISTS delivery_failures;
