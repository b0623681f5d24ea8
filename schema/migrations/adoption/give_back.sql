-- Puts P1 back to where it was, after the fleet's own tables went.

DO $$
BEGIN
    IF to_regclass('fleet_adopted.steps') IS NOT NULL THEN
        PERFORM fleet_adopted.take_steps('back');
        DROP FUNCTION fleet_adopted.take_steps(text);
        DROP TABLE fleet_adopted.steps, fleet_adopted.not_taken, fleet_adopted.added_columns;
        DROP SCHEMA fleet_adopted;
    END IF;
END
$$;
