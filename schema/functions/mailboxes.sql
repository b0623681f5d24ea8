-- What one person may be sent, and when: caps of a mailbox over all engines, and the hours and days on which a tenant's
-- mail leaves. What is over a cap or outside the hours waits; nothing is dropped.

-- An address for comparing: case and plus-tag do not matter. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION folded_mailbox(p_address text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT regexp_replace(lower(btrim(p_address)), '^([^+@]+)\+[^@]*@', '\1@')
$$;

-- What is kept of somebody who is forgotten: comparable with an address, and no address.
CREATE OR REPLACE FUNCTION fingerprint_of(p_text text) RETURNS text
LANGUAGE sql STABLE
AS $$
    SELECT 'sha256:' || pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(p_text, 'UTF8')), 'hex')
$$;

-- Why an engine does not write to an address, whatever its case and plus-tag; no row: it may. Pins no search_path, so that
-- PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION suppression_of(p_tenant_id uuid, p_address text, p_engine text)
RETURNS TABLE (address text, reason text)
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT s.address, s.reason FROM public.suppressions AS s
    WHERE s.tenant_id = p_tenant_id
      AND s.address IN (lower(btrim(p_address)), public.folded_mailbox(p_address),
                        public.fingerprint_of(public.folded_mailbox(p_address)))
      AND (s.engines IS NULL OR p_engine = ANY (s.engines))
    LIMIT 1
$$;

-- The mailbox of an e-mail and the fleet's hour at which it was written, whichever engine writes it; the address is read
-- again when it is sent.
CREATE OR REPLACE FUNCTION keep_mailbox() RETURNS trigger
LANGUAGE plpgsql VOLATILE SET search_path = public, pg_temp
AS $$
BEGIN
    NEW.mailbox := nullif(folded_mailbox(coalesce(
        (SELECT c.email::text FROM contacts AS c WHERE c.id = NEW.contact_id AND c.tenant_id = NEW.tenant_id),
        NEW.recipient)), '');
    NEW.created_at := fleet_now();
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER action_mailbox
    BEFORE INSERT ON scheduled_actions
    FOR EACH ROW WHEN (NEW.kind = 'email') EXECUTE FUNCTION keep_mailbox();

-- The letters that a tenant sent to a mailbox so far. Read by mailbox: asked for their status, they could be read by the index
-- of all that the tenant sent. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION letters_to(p_tenant_id uuid, p_address text) RETURNS SETOF bigint
LANGUAGE sql STABLE
AS $$
    SELECT a.id FROM public.scheduled_actions AS a
    WHERE a.tenant_id = p_tenant_id AND a.mailbox = public.folded_mailbox(p_address) AND a.sent_at IS NOT NULL AND a.kind = 'email'
$$;

-- How many more automatic e-mails a mailbox may be sent today, from when on it may be sent another one once it has had these,
-- and how many wait for it. Days are the tenant's: so many a day, so many in seven of them. What is being sent counts as
-- sent. Pins no search_path, so that PostgreSQL inlines it.
CREATE OR REPLACE FUNCTION room_in_mailbox(p_tenant_id uuid, p_mailbox text)
RETURNS TABLE (room integer, free_at timestamptz, waiting integer)
LANGUAGE sql STABLE ROWS 1
AS $$
    SELECT r.room, greatest(d.days[t.a_day] + 1, d.days[t.a_week] + 7)::timestamp AT TIME ZONE t.zone, w.waiting
    FROM (
        SELECT z.zone, (public.fleet_now() AT TIME ZONE z.zone)::date AS today,
               coalesce(y.mails_per_day, 1) AS a_day, coalesce(y.mails_per_week, 2) AS a_week
        FROM (SELECT) AS one
        LEFT JOIN public.tenant_delivery AS y ON y.tenant_id = p_tenant_id
        LEFT JOIN public.tenant_calendar AS k ON k.tenant_id = p_tenant_id
        CROSS JOIN LATERAL (SELECT coalesce(k.time_zone, 'UTC') AS zone) AS z
    ) AS t
    CROSS JOIN LATERAL (
        SELECT array_agg(m.day ORDER BY m.day DESC) FILTER (WHERE m.day IS NOT NULL) AS days,
               (count(*) FILTER (WHERE m.day = t.today))::integer AS today,
               (count(*) FILTER (WHERE m.day > t.today - 7))::integer AS this_week,
               (count(*) FILTER (WHERE m.day IS NULL))::integer AS waiting
        FROM (SELECT CASE a.status WHEN 'sent' THEN (a.sent_at AT TIME ZONE t.zone)::date WHEN 'sending' THEN t.today END AS day
              FROM public.scheduled_actions AS a
              WHERE a.tenant_id = p_tenant_id AND a.mailbox = p_mailbox
                AND (a.sent_at IS NULL AND a.status IN ('suggested', 'scheduled', 'sending')
                     OR a.sent_at > public.fleet_now() - interval '9 days' AND a.status = 'sent')) AS m
    ) AS w
    CROSS JOIN LATERAL (SELECT greatest(0, least(t.a_day - w.today, t.a_week - w.this_week)) AS room) AS r
    CROSS JOIN LATERAL (SELECT pg_catalog.array_fill(t.today, ARRAY[r.room]) || w.days AS days) AS d
$$;

-- The same for who asks row by row in a plan that is kept. Without sequential scans: a plan made while the outbox was empty
-- would read more with each message of a batch.
CREATE OR REPLACE FUNCTION mailbox_room(p_tenant_id uuid, p_mailbox text)
RETURNS TABLE (room integer, free_at timestamptz, waiting integer)
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp SET enable_seqscan = off ROWS 1
AS $$
BEGIN
    RETURN QUERY SELECT * FROM room_in_mailbox(p_tenant_id, p_mailbox);
END
$$;

-- Why an e-mail to a mailbox is not even written yet; NULL: it may be. A handful of matters may stand in line for one
-- person, and delivery lets them go one by one. Where more want to, each is written when its turn comes, with what is true
-- then.
-- p_room: of mailbox_room; p_wanted: how many of this batch want the mailbox; p_place: which of them this one is.
CREATE OR REPLACE FUNCTION mailbox_is_full(p_room integer, p_waiting integer, p_wanted bigint, p_place bigint) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$
    SELECT 'the mailbox has its e-mails'
    WHERE p_room = 0 OR p_waiting + p_wanted > 5 AND (p_waiting > 0 OR p_place > 1)
$$;

-- The first moment at or after p_from at which the tenant's mail may leave: Monday to Friday from 8 to 18 unless it says
-- otherwise, by the clocks of a zone, and on no public holiday of its country. An hour that the clocks skip begins when they
-- have, and is left out where the window ends before that; one that comes twice is open both times.
CREATE OR REPLACE FUNCTION sending_opens_in(p_tenant_id uuid, p_zone text, p_from timestamptz) RETURNS timestamptz
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_local constant timestamp := p_from AT TIME ZONE p_zone;
    v_set tenant_delivery;
    v_start time := '08:00';
    v_end time := '18:00';
    v_days smallint[] := '{1,2,3,4,5}';
    v_day date := v_local::date;
    v_opens timestamptz;
BEGIN
    SELECT * INTO v_set FROM tenant_delivery AS y WHERE y.tenant_id = p_tenant_id;
    IF FOUND THEN
        v_start := v_set.window_start;
        v_end := v_set.window_end;
        v_days := v_set.send_days;
    END IF;
    LOOP
        IF extract(isodow FROM v_day) = ANY (v_days)
           AND NOT EXISTS (SELECT FROM public_holidays AS h WHERE h.country = v_set.holidays AND h.day = v_day)
        THEN
            IF v_day = v_local::date AND v_local::time >= v_start AND v_local::time < coalesce(v_end, '24:00') THEN
                RETURN p_from;
            END IF;
            v_opens := (v_day + v_start) AT TIME ZONE p_zone;
            IF (v_opens - interval '4 hours') AT TIME ZONE p_zone <> v_day + v_start - interval '4 hours'
               OR v_opens AT TIME ZONE p_zone <> v_day + v_start
            THEN  -- the clocks are changed shortly before; none ever was by more than three hours
                SELECT min(m.at) INTO v_opens
                FROM generate_series(v_opens - interval '4 hours', v_opens + interval '4 hours', interval '1 minute') AS m (at)
                CROSS JOIN LATERAL (SELECT m.at AT TIME ZONE p_zone AS local) AS l
                WHERE m.at >= p_from AND l.local::date = v_day AND l.local::time >= v_start
                  AND l.local::time < coalesce(v_end, '24:00');
            END IF;
            IF v_opens >= p_from THEN
                RETURN v_opens;
            END IF;
        END IF;
        v_day := v_day + 1;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION sending_opens_at(p_tenant_id uuid, p_from timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT sending_opens_in(p_tenant_id, tenant_zone(p_tenant_id), p_from)
$$;

-- The zone that a CRM has for a contact, in a column of a name that CRMs use: an IANA name that PostgreSQL knows, else NULL.
-- What only looks like one ("UTC+2", "CET", "Central Time") names no zone, or the wrong one.
-- p_contact: the contact's row.
CREATE OR REPLACE FUNCTION contact_zone(p_contact jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_zone text;
BEGIN
    FOREACH v_zone IN ARRAY ARRAY[p_contact ->> 'timezone', p_contact ->> 'time_zone', p_contact ->> 'tz'] LOOP
        CONTINUE WHEN v_zone IS NULL OR btrim(v_zone) !~ '^([A-Za-z]+(/[A-Za-z_]+(-[A-Za-z_]+)*)+|Etc/GMT[+-]\d{1,2}|UTC)$';
        BEGIN
            PERFORM fleet_now() AT TIME ZONE btrim(v_zone);
            RETURN btrim(v_zone);
        EXCEPTION WHEN invalid_parameter_value THEN
            NULL;  -- there is no such zone
        END;
    END LOOP;
    RETURN NULL;
END
$$;

-- Whether the CRM keeps zones of contacts at all: where it does not, nobody looks for them message by message.
CREATE OR REPLACE FUNCTION contacts_have_zones() RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM pg_attribute AS k WHERE k.attrelid = 'contacts'::regclass
                   AND k.attname IN ('timezone', 'time_zone', 'tz') AND NOT k.attisdropped)
$$;

REVOKE ALL ON FUNCTION folded_mailbox(text), fingerprint_of(text), suppression_of(uuid, text, text), keep_mailbox(),
    letters_to(uuid, text), room_in_mailbox(uuid, text), mailbox_room(uuid, text), mailbox_is_full(integer, integer, bigint, bigint),
    sending_opens_in(uuid, text, timestamptz), sending_opens_at(uuid, timestamptz), contact_zone(jsonb), contacts_have_zones()
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION folded_mailbox(text), fingerprint_of(text), suppression_of(uuid, text, text), letters_to(uuid, text),
    room_in_mailbox(uuid, text), mailbox_room(uuid, text), mailbox_is_full(integer, integer, bigint, bigint),
    sending_opens_in(uuid, text, timestamptz), sending_opens_at(uuid, timestamptz), contact_zone(jsonb), contacts_have_zones() TO service_role;
