-- What follows from a message that could not be delivered: one place for mail servers' answers and for bounces.

-- An address is written to no more when it is dead or its owner complained. One that only fails again and again is
-- dead too: three messages within 90 days, the first and the last two weeks apart, none of them for the sender's
-- sake, and nobody at that address wrote meanwhile.
CREATE OR REPLACE FUNCTION suppress_undeliverable() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_reason text;
BEGIN
    IF NEW.whose = 'address' THEN
        v_reason := NEW.cause || coalesce(' (' || NEW.status || ')', '');
    ELSIF NEW.whose IN ('message', 'moment') THEN
        SELECT 'undeliverable for weeks: ' || NEW.cause INTO v_reason
        FROM delivery_failures AS f
        WHERE f.tenant_id = NEW.tenant_id AND f.address = NEW.address AND f.whose IN ('message', 'moment')
          AND f.failed_at > NEW.failed_at - interval '90 days'
          AND f.failed_at > coalesce((
              SELECT max(m.received_at)
              FROM contacts_with_address(NEW.tenant_id, folded_mailbox(NEW.address), NEW.address) AS c
              JOIN inbound_messages AS m ON m.contact_id = c.contact_id AND m.kind IN ('reply', 'message')), '-infinity')
        -- Several reports of one message are one failure; a report that names none of ours counts once a day.
        HAVING count(DISTINCT coalesce(f.action_id::text, f.failed_at::date::text)) >= 3
           AND max(f.failed_at) - min(f.failed_at) >= interval '14 days';
    END IF;
    INSERT INTO suppressions (tenant_id, address, reason, created_at)
    SELECT NEW.tenant_id, NEW.address, v_reason, fleet_now() WHERE v_reason IS NOT NULL
    ON CONFLICT (tenant_id, address) DO NOTHING;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER delivery_failure_suppresses
    AFTER INSERT ON delivery_failures
    FOR EACH ROW EXECUTE FUNCTION suppress_undeliverable();

REVOKE ALL ON FUNCTION suppress_undeliverable() FROM PUBLIC, anon, authenticated;
