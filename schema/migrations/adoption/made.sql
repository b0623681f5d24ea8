-- The fleet's tables get what the CRM added to those that were set aside.

DO $$
BEGIN
    IF to_regclass('fleet_adopted.steps') IS NOT NULL THEN
        PERFORM fleet_adopted.take_steps('made');
    END IF;
END
$$;
