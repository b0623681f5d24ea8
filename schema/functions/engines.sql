-- The contract between the fleet and its engines. An engine NAME is one file of schema/engines/ (or one folder) that
-- defines these functions and ends with SELECT register_engine('NAME'). The ledger, the outbox, inbound mail and the
-- status know engines by this table alone, and call them by these names:
--
--   NAME_due_tenants()       the tenants with work that is due now; cost grows with what is due, not with the tenants
--   NAME_due_count()         what `fleet status` counts as due now, per tenant
--   NAME_next_due()          the next instant after now at which anything falls due; NULL: never
--   NAME_guard(actions)      which of these actions are no longer wanted, each with the reason; the others may leave
--   NAME_settled(actions)    these actions were just sent, refused, failed, cancelled, or revived by an operator: what
--                            that means for their subjects
--   NAME_answered(message, action, judgement)   a person answered the action's e-mail: what that means for its subject
--
-- Not every engine has NAME_refused(): what it cannot do until a person mends it, for `fleet status`.
-- The batch belongs to the Python side; an engine whose batch is all SQL calls it run_NAME_batch.

-- Enters an engine into the registry; one line that names what is missing if its file does not keep the contract.
CREATE OR REPLACE FUNCTION register_engine(p_name text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_missing text;
BEGIN
    SELECT string_agg(format('%s returning %s', c.signature, c.result), ', ' ORDER BY c.ordinal) INTO v_missing
    FROM (VALUES
        (1, p_name || '_due_tenants()', 'SETOF uuid'),
        (2, p_name || '_due_count()', 'TABLE(tenant_id uuid, n bigint)'),
        (3, p_name || '_next_due()', 'timestamp with time zone'),
        (4, p_name || '_guard(bigint[])', 'TABLE(action_id bigint, reason text)'),
        (5, p_name || '_settled(bigint[])', 'void'),
        (6, p_name || '_answered(inbound_messages, scheduled_actions, jsonb)', 'void')
    ) AS c (ordinal, signature, result)
    WHERE pg_get_function_result(to_regprocedure(c.signature)) IS DISTINCT FROM c.result;
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION 'engine % does not keep its contract, missing: %', p_name, v_missing
            USING ERRCODE = 'undefined_function';
    END IF;
    INSERT INTO engines (name) VALUES (p_name) ON CONFLICT (name) DO NOTHING;
END
$$;

REVOKE ALL ON FUNCTION register_engine(text) FROM PUBLIC, anon, authenticated;
