-- What every other file stands on: the clock, what is gone, the caller's tenant, a tenant's wish for an engine, and whom to
-- write to.

-- The fleet's clock: the session's fleet.now if it has one, else the transaction's time. It pins no search_path so that
-- PostgreSQL inlines it: the CRM's every write asks for the time.
CREATE OR REPLACE FUNCTION fleet_now() RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT coalesce(nullif(pg_catalog.current_setting('fleet.now', true), '')::pg_catalog.timestamptz, pg_catalog.now())
$$;

-- Whether what a row says of itself means that it is there only for the record.
CREATE OR REPLACE FUNCTION says_it_is_gone(p_row jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (
        SELECT FROM jsonb_each_text(p_row) AS f
        CROSS JOIN LATERAL (SELECT replace(lower(f.key), '_', '') AS name, lower(btrim(f.value)) AS value) AS c
        WHERE CASE
            WHEN c.name IN ('deletedat', 'deletedon', 'deleteddate', 'datedeleted', 'archivedat', 'archivedon', 'removedat', 'trashedat')
                THEN c.value NOT IN ('', '0', 'infinity')
            WHEN c.name IN ('isdeleted', 'isarchived', 'isremoved', 'deleted', 'archived', 'removed', 'trashed',
                            'inactive', 'isinactive', 'disabled', 'isdisabled')
                THEN c.value IN ('true', 't', 'yes', 'y', '1')
            WHEN c.name IN ('active', 'isactive') THEN c.value IN ('false', 'f', 'no', 'n', '0')
        END)
$$;

-- Whether a row is there only for the record: deleted or archived in one of the ways CRMs have for it, in snake_case or as
-- the mappers of other languages write it. Most CRMs have none of them, which is asked first. Pins no search_path, so that
-- PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION is_gone(p_row jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE WHEN p_row ?| '{deleted_at,deletedAt,DeletedAt,deleted_on,deletedOn,deleted_date,date_deleted,archived_at,archivedAt,
                                ArchivedAt,archived_on,archivedOn,removed_at,removedAt,trashed_at,is_deleted,isDeleted,IsDeleted,
                                is_archived,isArchived,IsArchived,is_removed,deleted,archived,removed,trashed,inactive,is_inactive,
                                disabled,is_disabled,active,is_active,isActive,IsActive}'::text[]
    THEN public.says_it_is_gone(p_row) ELSE false END
$$;

-- The user named by the request's claim; NULL without one. A claim that cannot be read names nobody: it must open
-- nothing, and must not end the statement of a CRM whose trigger asks.
CREATE OR REPLACE FUNCTION claimed_user() RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
BEGIN
    RETURN auth.uid();
EXCEPTION WHEN data_exception THEN
    RETURN NULL;
END
$$;

-- The tenant of that user: a person, or a program with a token of the tenant's (whether that is still good is asked when it
-- is shown, see use_token). SECURITY DEFINER because the policy on profiles itself calls it.
CREATE OR REPLACE FUNCTION current_tenant_id() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT coalesce((SELECT p.tenant_id FROM profiles AS p WHERE p.id = u.id),
                    (SELECT t.tenant_id FROM api_tokens AS t WHERE t.id = u.id))
    FROM (SELECT claimed_user() AS id OFFSET 0) AS u    -- asked once
$$;

-- Whether the operator has stopped a tenant's engine, or all of the tenant (p_engine NULL asks for that alone); or the CRM
-- has: by deleting or archiving it.
CREATE OR REPLACE FUNCTION is_stopped(p_tenant_id uuid, p_engine text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM operator_stops AS s
                   WHERE s.tenant_id = p_tenant_id AND (s.engine IS NULL OR s.engine = p_engine))
        OR EXISTS (SELECT FROM tenants AS t WHERE t.id = p_tenant_id AND is_gone(to_jsonb(t)))
$$;

-- How an engine works for a tenant: as somebody decided, else as this installation begins. Where even that is lost, a person
-- looks first.
CREATE OR REPLACE FUNCTION engine_mode(p_tenant_id uuid, p_engine text) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT coalesce(
        (SELECT s.mode FROM engine_settings AS s WHERE s.tenant_id = p_tenant_id AND s.engine = p_engine),
        (SELECT d.mode FROM fleet_defaults AS d),
        'review')
$$;

-- The status in which an engine's actions are born for a tenant: scheduled, or suggested where a person
-- approves them first. NULL: the engine is off for this tenant, by its own wish or by an operator's stop.
CREATE OR REPLACE FUNCTION action_status(p_tenant_id uuid, p_engine text) RETURNS text
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT CASE engine_mode(p_tenant_id, p_engine)
        WHEN 'automatic' THEN 'scheduled'
        WHEN 'review' THEN 'suggested'
    END
    WHERE NOT is_stopped(p_tenant_id, p_engine)
$$;

-- Lets an engine of a tenant work automatically, or all of them (p_engine NULL) but those that were switched off for this
-- tenant: such a one is started by its name. Returns how each of them then stands.
CREATE OR REPLACE FUNCTION go_live(p_tenant_id uuid, p_engine text, p_by text)
RETURNS TABLE (engine text, mode text, stopped boolean, suggested bigint)
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO engine_settings AS s (tenant_id, engine, mode, live_by, live_at)
    SELECT p_tenant_id, e.name, 'automatic', p_by, fleet_now() FROM engines AS e
    WHERE p_engine IS NULL OR e.name = p_engine
    ON CONFLICT (tenant_id, engine) DO UPDATE
        SET mode = excluded.mode, live_by = excluded.live_by, live_at = excluded.live_at
        WHERE s.mode = 'review' OR (s.mode = 'off' AND p_engine IS NOT NULL);
    RETURN QUERY
    SELECT e.name, engine_mode(p_tenant_id, e.name), is_stopped(p_tenant_id, e.name),
           (SELECT count(*) FROM scheduled_actions AS a
            WHERE a.tenant_id = p_tenant_id AND a.engine = e.name AND a.status = 'suggested')
    FROM engines AS e WHERE p_engine IS NULL OR e.name = p_engine
    ORDER BY e.name;
END
$$;

-- Whether an error is about the moment (a deadlock, a lock, a server that stops or is full) and not about the
-- row: it must end the transaction, because the next attempt may well succeed.
CREATE OR REPLACE FUNCTION is_transient(p_sqlstate text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT left(p_sqlstate, 2) IN ('08', '40', '53', '57', '58') OR p_sqlstate = '55P03'
$$;

-- Notes what went wrong in a trigger on one of the CRM's tables, once an hour for each cause: the CRM's transactions must
-- not wait for each other here. Never fails; where even the note cannot be kept, the server's log has it.
CREATE OR REPLACE FUNCTION note_fault(p_source text, p_table text, p_row_id text, p_sqlstate text, p_message text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    INSERT INTO fleet_faults (source, table_name, row_id, sqlstate, message)
    SELECT p_source, p_table, p_row_id, p_sqlstate, p_message
    WHERE NOT EXISTS (SELECT FROM fleet_faults AS f
                      WHERE f.noted_at > now() - interval '1 hour' AND f.source = p_source AND f.sqlstate = p_sqlstate);
EXCEPTION WHEN OTHERS THEN
    RAISE LOG 'fleet: % failed for % %: %', p_source, p_table, p_row_id, p_message;
END
$$;

-- What went wrong there within the last day, the latest first.
CREATE OR REPLACE FUNCTION recent_faults()
RETURNS TABLE (source text, table_name text, message text, row_id text, noted_at timestamptz)
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT DISTINCT ON (f.source, f.sqlstate) f.source, f.table_name, f.message, f.row_id, f.noted_at
    FROM fleet_faults AS f WHERE f.noted_at > now() - interval '1 day'
    ORDER BY f.source, f.sqlstate, f.noted_at DESC
$$;

-- The oldest revision whose workers can still work with this schema: while a release is rolled out, those of the last one
-- go on. Raised with a change that they cannot live with.
CREATE OR REPLACE FUNCTION supported_from() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT '0031_timetable'
$$;

-- Whom to write to: the named contact if it has an address and did not move to another client, else a primary contact of
-- the client that has one. No row where nobody can be written to. It pins no search_path, because then each batch that calls it for every row would
-- call a function instead of probing two indexes: PostgreSQL inlines it into its callers, which pin theirs.
CREATE OR REPLACE FUNCTION reachable_contact(p_tenant_id uuid, p_contact_id uuid, p_client_id uuid)
RETURNS TABLE (id uuid, first_name text, email text)
LANGUAGE sql STABLE
AS $$
    SELECT * FROM (
        SELECT c.id, c.first_name::text, c.email::text FROM public.contacts AS c
        WHERE c.id = p_contact_id AND c.tenant_id = p_tenant_id AND btrim(c.email) <> '' AND NOT public.is_gone(to_jsonb(c))
          AND (p_client_id IS NULL OR c.client_id IS NULL OR c.client_id = p_client_id)
        UNION ALL
        SELECT c.id, c.first_name::text, c.email::text FROM public.contacts AS c
        WHERE c.client_id = p_client_id AND c.tenant_id = p_tenant_id
          AND c.is_primary AND c.email IS NOT NULL AND btrim(c.email) <> '' AND NOT public.is_gone(to_jsonb(c))
    ) AS reachable
    LIMIT 1
$$;

-- Who answers for what has no owner: whoever has the first of these roles, else the eldest profile. NULL: nobody is there.
CREATE OR REPLACE FUNCTION responsible_profile(p_tenant_id uuid, p_role text) RETURNS uuid
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT p.id FROM profiles AS p
    WHERE p.tenant_id = p_tenant_id AND NOT is_gone(to_jsonb(p))
    ORDER BY array_position(ARRAY[p_role, 'owner', 'admin', 'manager'], p.role::text) NULLS LAST, p.created_at, p.id
    LIMIT 1
$$;

REVOKE ALL ON FUNCTION fleet_now(), claimed_user(), current_tenant_id(), engine_mode(uuid, text), action_status(uuid, text),
    go_live(uuid, text, text), is_stopped(uuid, text), is_transient(text), says_it_is_gone(jsonb), is_gone(jsonb), reachable_contact(uuid, uuid, uuid),
    responsible_profile(uuid, text), note_fault(text, text, text, text, text), recent_faults(), supported_from() FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION fleet_now(), claimed_user(), current_tenant_id() TO authenticated, service_role, anon;
GRANT EXECUTE ON FUNCTION says_it_is_gone(jsonb), is_gone(jsonb) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION engine_mode(uuid, text), action_status(uuid, text), go_live(uuid, text, text), is_stopped(uuid, text), is_transient(text), reachable_contact(uuid, uuid, uuid),
    responsible_profile(uuid, text), recent_faults(), supported_from() TO service_role;
