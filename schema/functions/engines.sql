-- The contract between the fleet and its engines. An engine NAME is one file of schema/engines/ (or one folder) that
-- defines these functions and ends with SELECT register_engine('NAME'). The ledger, the outbox, inbound mail and the
-- status know engines by this table alone, and call them by these names:
--
--   NAME_due_tenants()       the tenants with work that is due now; cost grows with what is due, and once that is more than
--                            few_due() with the tenants, however much one of them has
--   NAME_due_count()         what `fleet status` counts as due now, per tenant
--   NAME_next_due()          the next instant after now at which anything falls due where the engine is not off; NULL:
--                            never
--   NAME_guard(actions)      which of these actions are no longer wanted, each with the reason; the others may leave
--   NAME_settled(actions)    these actions were just sent, refused, failed, cancelled, or revived by an operator: what
--                            that means for their subjects
--   NAME_answered(message, action, judgement)   a person answered the action's e-mail: what that means for its subject
--
-- More are there where an engine has something to say:
--
--   NAME_refused()                  what it cannot do until a person mends it, for `fleet status`
--   NAME_heard(message, judgement)  a person wrote a mail that answers none of ours: what that means for what we write to
--                                   this mailbox; returns the subjects whose series it holds or ends
--   NAME_found(tenant, text, id)    what of it a text or an id names, in one tenant or (NULL) in any, for `fleet explain`:
--                                   kind, tenant_id, item, subject (what its actions are about) and a name
--   NAME_explained(tenant, item)    how that stands, what comes next and what was: at, tense (now, next, past) and what
--
-- The batch belongs to the Python side; an engine whose batch is all SQL calls it run_NAME_batch.

-- Enters an engine into the registry; one line that names what is missing if its file does not keep the contract.
-- p_urgency: of what several engines have for one mailbox, the lowest goes first.
CREATE OR REPLACE FUNCTION register_engine(p_name text, p_urgency integer DEFAULT 60) RETURNS void
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
    INSERT INTO engines AS e (name, urgency) VALUES (p_name, p_urgency)
    ON CONFLICT (name) DO UPDATE SET urgency = excluded.urgency WHERE e.urgency <> excluded.urgency;
END
$$;

-- So many due rows are read to know whose they are. Of more, each tenant is asked whether any is its own.
CREATE OR REPLACE FUNCTION few_due() RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT 1000
$$;

-- Whether an item was set aside within the last day.
CREATE OR REPLACE VIEW items_resting WITH (security_invoker = true) AS
SELECT x.tenant_id, x.engine, x.item_id, x.error, x.aside_at FROM items_aside AS x
WHERE x.aside_at > fleet_now() - interval '1 day';

REVOKE ALL ON items_resting FROM PUBLIC, anon, authenticated;
GRANT SELECT ON items_resting TO service_role;

-- Sets an item aside, with what was said of it.
CREATE OR REPLACE FUNCTION set_item_aside(p_tenant_id uuid, p_engine text, p_item_id uuid, p_error text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO items_aside (tenant_id, engine, item_id, error, aside_at)
    VALUES (p_tenant_id, p_engine, p_item_id, p_error, fleet_now())
    ON CONFLICT (item_id, engine, tenant_id) DO UPDATE SET error = excluded.error, aside_at = excluded.aside_at
$$;

-- Takes an engine's step with items, all at once, and says what it did.
-- p_step: the name of a function (tenant, items, run) that returns rows of (measure, label, n).
CREATE OR REPLACE FUNCTION take_step(p_step text, p_engine text, p_tenant_id uuid, p_items uuid[], p_run bigint) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_done jsonb;
BEGIN
    EXECUTE format('SELECT jsonb_agg(s) FROM %I($1, $2, $3) AS s', p_step) INTO v_done USING p_tenant_id, p_items, p_run;
    SET CONSTRAINTS ALL IMMEDIATE;  -- rules that wait for the end of the transaction speak now, or would end all of it
    DELETE FROM items_aside AS x WHERE x.item_id = ANY (p_items) AND x.engine = p_engine AND x.tenant_id = p_tenant_id;
    RETURN v_done;
END
$$;

-- Takes an engine's step with claimed items, all at once or not at all. A CRM has rules of its own: where it refuses, the
-- items are halved until the one it refuses stands alone; that one is set aside, and the others go on.
-- p_step: as above.
CREATE OR REPLACE FUNCTION step_in_halves(p_step text, p_engine text, p_tenant_id uuid, p_items uuid[], p_run bigint)
RETURNS TABLE (measure text, label text, n bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
DECLARE
    v_half constant integer := cardinality(p_items) / 2;
    v_done jsonb;
    v_error text;
BEGIN
    IF cardinality(p_items) = 0 THEN
        RETURN;
    END IF;
    IF current_setting('fleet.savepoints', true) = 'no' THEN  -- a simulation, which begins again with them where one is needed
        v_done := take_step(p_step, p_engine, p_tenant_id, p_items, p_run);
    ELSE
        BEGIN
            v_done := take_step(p_step, p_engine, p_tenant_id, p_items, p_run);
        EXCEPTION WHEN OTHERS THEN
            IF is_transient(SQLSTATE) THEN
                RAISE;
            END IF;
            v_error := SQLERRM;
        END;
    END IF;
    IF v_error IS NULL THEN
        RETURN QUERY SELECT d.measure, d.label, d.n FROM jsonb_to_recordset(v_done) AS d (measure text, label text, n bigint);
    ELSIF v_half > 0 THEN
        RETURN QUERY SELECT * FROM step_in_halves(p_step, p_engine, p_tenant_id, p_items[:v_half], p_run);
        RETURN QUERY SELECT * FROM step_in_halves(p_step, p_engine, p_tenant_id, p_items[v_half + 1:], p_run);
    ELSE
        PERFORM set_item_aside(p_tenant_id, p_engine, p_items[1], v_error);
        RETURN QUERY VALUES ('due', 'aside', 1::bigint), ('skipped', 'refused by the CRM, set aside for a day', 1);
    END IF;
END
$$;

REVOKE ALL ON FUNCTION register_engine(text, integer), few_due(), set_item_aside(uuid, text, uuid, text),
    take_step(text, text, uuid, uuid[], bigint), step_in_halves(text, text, uuid, uuid[], bigint) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION few_due(), set_item_aside(uuid, text, uuid, text), take_step(text, text, uuid, uuid[], bigint),
    step_in_halves(text, text, uuid, uuid[], bigint) TO service_role;
