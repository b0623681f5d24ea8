-- How many workers do the same at a time, and how much in a minute, over all machines. A place is an advisory lock of the
-- transaction that does the work: it is free the moment this ends, however it ends, and needs neither a lease nor a table.

-- Takes one of so many places until the transaction ends; false: others have them all. p_wait: stands in line for one, as long
-- as locks are waited for. No number: there is no limit. A simulation is one transaction for weeks, and takes none.
CREATE OR REPLACE FUNCTION take_place(p_what text, p_places integer, p_wait boolean) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    IF p_places IS NULL OR current_setting('fleet.simulated', true) = 'yes' THEN
        RETURN true;
    END IF;
    FOR v_place IN 1..p_places LOOP
        IF pg_try_advisory_xact_lock(hashtextextended('place ' || p_what, v_place)) THEN
            RETURN true;
        END IF;
    END LOOP;
    IF p_wait THEN
        PERFORM pg_advisory_xact_lock(hashtextextended('place ' || p_what, 1 + pg_backend_pid() % p_places));
    END IF;
    RETURN p_wait;
END
$$;

-- Takes a place for a tenant: as many as the operator set for it in tenant_quotas, else as the caller's settings say
-- (fleet.tenant_workers), else without a limit.
CREATE OR REPLACE FUNCTION take_tenant_place(p_tenant_id uuid, p_wait boolean) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    SELECT take_place('tenant ' || p_tenant_id, coalesce(
        tenant_quota(p_tenant_id, 'workers'), nullif(current_setting('fleet.tenant_workers', true), '')::integer), p_wait)
$$;

-- How much of a minute is left, of so much that may be done in one; what was done counts as if each took its share of it.
CREATE OR REPLACE FUNCTION minute_room(p_per_minute integer, p_spent_until timestamptz) RETURNS integer
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT floor(p_per_minute * extract(epoch FROM fleet_now() - least(greatest(p_spent_until, fleet_now() - interval '1 minute'),
                                                                        fleet_now())) / 60)::integer
$$;

-- Until when the minute is spent once so much more was done.
CREATE OR REPLACE FUNCTION minute_spent(p_per_minute integer, p_spent_until timestamptz, p_done integer) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT least(greatest(p_spent_until, fleet_now() - interval '1 minute'), fleet_now()) + p_done * interval '1 minute' / p_per_minute
$$;

-- Lets a worker begin a batch of an engine for a tenant: takes its places and says how many of p_rows it may claim in this
-- minute, and how many a minute may be claimed, if that is limited. No row count: others work for the tenant, as many as may.
-- The tenant's place comes first: who stands in line for it keeps nobody from the engine. Where a minute is limited, one
-- works at a time and sees what the one before it did.
CREATE OR REPLACE FUNCTION begin_batch(
    p_engine text, p_tenant_id uuid, p_rows integer, p_wait boolean, p_engine_workers integer, p_per_minute integer
) RETURNS TABLE (n integer, per_minute integer)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp ROWS 1
AS $$
BEGIN
    per_minute := coalesce(tenant_quota(p_tenant_id, 'items'), p_per_minute);
    IF take_tenant_place(p_tenant_id, p_wait)
       AND take_place(format('minute %s %s', p_engine, p_tenant_id), CASE WHEN per_minute IS NOT NULL THEN 1 END, p_wait)
       AND take_place('engine ' || p_engine, p_engine_workers, true) THEN
        n := least(p_rows, minute_room(per_minute, (
            SELECT r.spent_until FROM engine_rates AS r WHERE r.tenant_id = p_tenant_id AND r.engine = p_engine)));
    END IF;
    RETURN NEXT;
END
$$;

-- Notes what a batch worked in a minute that is limited; part of the batch's transaction.
CREATE OR REPLACE FUNCTION spend_minute(p_engine text, p_tenant_id uuid, p_items integer, p_per_minute integer) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO engine_rates AS r (tenant_id, engine, spent_until)
    VALUES (p_tenant_id, p_engine, minute_spent(p_per_minute, NULL, p_items))
    ON CONFLICT (tenant_id, engine) DO UPDATE SET spent_until = minute_spent(p_per_minute, r.spent_until, p_items)
$$;

-- How many messages may leave now, of so many a minute that all workers send together, and after whom it is whose turn.
-- Whoever asks keeps the others who ask waiting until its transaction ends, and says in it what it takes.
CREATE OR REPLACE FUNCTION channel_room(p_per_minute integer) RETURNS TABLE (n integer, last_tenant uuid)
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    SELECT minute_room(p_per_minute, r.spent_until), r.last_tenant FROM channel_rate AS r FOR UPDATE
$$;

-- Takes room for so many messages; p_last: whose were the last of them.
CREATE OR REPLACE FUNCTION take_channel_room(p_per_minute integer, p_messages integer, p_last uuid) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    UPDATE channel_rate AS r SET spent_until = minute_spent(p_per_minute, r.spent_until, p_messages), last_tenant = p_last
$$;

REVOKE ALL ON FUNCTION take_place(text, integer, boolean), take_tenant_place(uuid, boolean),
    minute_room(integer, timestamptz), minute_spent(integer, timestamptz, integer),
    begin_batch(text, uuid, integer, boolean, integer, integer), spend_minute(text, uuid, integer, integer),
    channel_room(integer), take_channel_room(integer, integer, uuid) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION take_place(text, integer, boolean), take_tenant_place(uuid, boolean),
    minute_room(integer, timestamptz), minute_spent(integer, timestamptz, integer),
    begin_batch(text, uuid, integer, boolean, integer, integer), spend_minute(text, uuid, integer, integer),
    channel_room(integer), take_channel_room(integer, integer, uuid) TO service_role;
