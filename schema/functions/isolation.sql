-- What keeps tenants apart where row-level security alone does not: references, claims of global meaning, stops.

-- Whether the caller may act for a tenant: a user for the own one, the workers for each. For functions that write with
-- their owner's rights what users must not write by themselves.
CREATE OR REPLACE FUNCTION may_act_for(p_tenant_id uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp
AS $$
    -- The role that was set outlives SECURITY DEFINER; without one, whoever logged in is asked.
    SELECT coalesce(p_tenant_id = current_tenant_id(), false)
        OR pg_has_role(coalesce(nullif(current_setting('role', true), 'none'), session_user), 'service_role', 'MEMBER')
$$;

-- Refuses a row that names another tenant's row, in the words in which one that does not exist is refused: nobody
-- learns what there is. A reference that stood there before stays, and is ignored by whoever reads it: a row from
-- before must not stop its tenant. Volatile, to see what the same statement has written. Arguments: column, table it
-- refers to, and so on in pairs. The queries are written out, because they run for every row that a CRM's write leads
-- to: planned once a session, and not for the size that a table had by then.
CREATE OR REPLACE FUNCTION check_same_tenant() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp SET enable_seqscan = off
AS $$
DECLARE
    v_row constant jsonb := to_jsonb(NEW);
    v_before constant jsonb := CASE WHEN TG_OP = 'UPDATE' AND NEW.tenant_id = OLD.tenant_id THEN to_jsonb(OLD) END;
    v_id uuid;
BEGIN
    FOR i IN 0 .. TG_NARGS - 1 BY 2 LOOP
        v_id := v_row ->> TG_ARGV[i];
        CONTINUE WHEN v_id IS NULL OR v_id = (v_before ->> TG_ARGV[i])::uuid;
        CASE TG_ARGV[i + 1]
            WHEN 'clients' THEN PERFORM FROM clients AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
            WHEN 'contacts' THEN PERFORM FROM contacts AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
            WHEN 'orders' THEN PERFORM FROM orders AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
            WHEN 'deals' THEN PERFORM FROM deals AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
            WHEN 'cases' THEN PERFORM FROM cases AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
            WHEN 'profiles' THEN PERFORM FROM profiles AS r WHERE r.id = v_id AND r.tenant_id = NEW.tenant_id;
        END CASE;
        IF NOT FOUND THEN
            RAISE EXCEPTION '% % is not in table % of this tenant', TG_ARGV[i], v_id, TG_ARGV[i + 1]
                USING ERRCODE = 'foreign_key_violation';
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;

-- These two tables no user can add to. What the fleet's triggers on orders and deals write there names rows of one tenant by
-- the way it is written, and the CRM does not wait for the same look twice.
CREATE OR REPLACE TRIGGER request_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, order_id, client_id, contact_id, case_created_id ON feedback_requests
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION check_same_tenant(
        'order_id', 'orders', 'client_id', 'clients', 'contact_id', 'contacts', 'case_created_id', 'cases');
CREATE OR REPLACE TRIGGER history_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, deal_id ON deal_stage_history
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION check_same_tenant('deal_id', 'deals');
CREATE OR REPLACE TRIGGER quote_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, client_id, contact_id, deal_id ON quotes
    FOR EACH ROW EXECUTE FUNCTION check_same_tenant('client_id', 'clients', 'contact_id', 'contacts', 'deal_id', 'deals');
CREATE OR REPLACE TRIGGER found_data_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, contact_id, merged_to_contact_id ON contact_enrichment_queue
    FOR EACH ROW EXECUTE FUNCTION check_same_tenant('contact_id', 'contacts', 'merged_to_contact_id', 'contacts');
CREATE OR REPLACE TRIGGER signal_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, client_id, contact_id ON opportunity_signals
    FOR EACH ROW EXECUTE FUNCTION check_same_tenant('client_id', 'clients', 'contact_id', 'contacts');
CREATE OR REPLACE TRIGGER check_in_one_tenant
    BEFORE INSERT OR UPDATE OF tenant_id, escalated_to ON compliance_checks
    FOR EACH ROW EXECUTE FUNCTION check_same_tenant('escalated_to', 'profiles');

-- Domains in which everybody can have a mailbox: never one tenant's, and two people there are no colleagues.
CREATE OR REPLACE FUNCTION is_shared_domain(p_domain text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = public, pg_temp
AS $$
    SELECT lower(p_domain) ~ ('^((gmail|googlemail|icloud|me|mac|aol|proton|protonmail|pm|mail|fastmail|zoho|hushmail|tutanota'
        '|rocketmail|ymail|inbox|email|rediffmail|naver|daum|qq|163|126|sina|sohu)\.com'
        '|(hotmail|outlook|live|msn|yahoo|gmx|web|mail|yandex)\.[a-z]{2,3}(\.[a-z]{2})?'
        '|(gmx|web|t-online|freenet|posteo|mailbox|arcor)\.(de|net|org)|tuta\.io|proton\.me'
        '|(orange|free|laposte|wanadoo|sfr)\.(fr|net)|(libero|virgilio|tiscali|alice)\.it|(bluewin|hispeed)\.ch'
        '|(ziggo|kpnmail|planet|home)\.nl|(telenet|skynet)\.be|(btinternet|sky|talktalk|virginmedia)\.(com|co\.uk)'
        '|(comcast|verizon|att|sbcglobal|cox|bellsouth)\.net|(uol|bol|terra)\.com\.br|(seznam|centrum)\.cz|(wp|o2|onet|interia)\.pl)$')
    OR lower(p_domain) = ANY (string_to_array(
        '139.com 189.cn 1und1.de a1.net abv.bg aim.com aliyun.com aol.co.uk aol.de aol.fr arnet.com.ar'
        ' asia.com bbox.fr bell.net bigmir.net bigpond.com bigpond.net.au blueyonder.co.uk bredband.net'
        ' btopenworld.com centurylink.net charter.net chello.nl club-internet.fr daum.net disroot.org duck.com'
        ' earthlink.net eircom.net email.cz email.de email.it embarqmail.com fastmail.fm fibertel.com.ar'
        ' foxmail.com freemail.hu frontier.com frontiernet.net hanmail.net hetnet.nl hey.com iinet.net.au'
        ' in.com inbox.lv inbox.ru juno.com kabelmail.de kakao.com list.ru lycos.com magenta.de mailfence.com'
        ' mindspring.com mts.net mweb.co.za my.com mynet.com nate.com neuf.fr nifty.com ntlworld.com'
        ' numericable.fr o2.co.uk o2online.de ocn.ne.jp onet.eu online.de online.no onlinehome.de op.pl'
        ' optonline.net optusnet.com.au otenet.gr pm.me pobox.com poczta.fm poczta.onet.pl post.com'
        ' prodigy.net.mx protonmail.ch qip.ru rambler.ru riseup.net roadrunner.com rogers.com rr.com'
        ' runbox.com sapo.pt shaw.ca sina.cn sympatico.ca talk21.com talktalk.net tele2.nl telia.com telus.net'
        ' telusplanet.net tin.it tiscali.co.uk tlen.pl tuta.com tutamail.com tutanota.de ukr.net usa.net'
        ' videotron.ca vip.163.com vip.qq.com virgin.net vodafone.de volny.cz wanadoo.es webmail.co.za'
        ' windowslive.com windstream.net xs4all.nl xtra.co.nz yeah.net zohomail.com zoznam.sk',
        ' '))
$$;

-- Where mail goes and who it comes from is the operator's to say and means one tenant only: an address or a domain that
-- another tenant uses is refused, and a domain that everybody uses is nobody's.
CREATE OR REPLACE FUNCTION check_mail_claim() RETURNS trigger
LANGUAGE plpgsql STABLE SET search_path = public, pg_temp
AS $$
DECLARE
    v_address constant text := lower(btrim(to_jsonb(NEW) ->> TG_ARGV[0]));
    -- A sender is written "Name <address>" as well.
    v_bare constant text := coalesce(substring(v_address FROM '<([^<>]+)>\s*$'), v_address);
    v_domain constant text := substring(v_bare FROM '@[^@]*$');
BEGIN
    IF v_bare IS NULL THEN
        RETURN NEW;
    END IF;
    IF v_bare = v_domain AND is_shared_domain(substr(v_domain, 2)) THEN
        RAISE EXCEPTION 'everybody can have an address at %: list the address itself', substr(v_domain, 2)
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (
        SELECT FROM (
            SELECT m.tenant_id, m.address AS used FROM tenant_mailboxes AS m
            UNION ALL
            SELECT d.tenant_id, coalesce(substring(lower(d.from_address) FROM '<([^<>]+)>\s*$'), lower(btrim(d.from_address)))
            FROM tenant_delivery AS d
        ) AS claims
        WHERE claims.tenant_id <> NEW.tenant_id
          AND (claims.used = v_bare OR claims.used = v_domain
               OR v_bare = v_domain AND substring(claims.used FROM '@[^@]*$') = v_domain)
    ) THEN
        RAISE EXCEPTION '% belongs to another tenant''s mail', v_bare USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER mailbox_of_one_tenant
    BEFORE INSERT OR UPDATE OF address, tenant_id ON tenant_mailboxes
    FOR EACH ROW EXECUTE FUNCTION check_mail_claim('address');
CREATE OR REPLACE TRIGGER sender_of_one_tenant
    BEFORE INSERT OR UPDATE OF from_address, tenant_id ON tenant_delivery
    FOR EACH ROW EXECUTE FUNCTION check_mail_claim('from_address');

-- Sets or lifts a stop. Lifting what was not set is said.
CREATE OR REPLACE FUNCTION stop_tenant(p_tenant_id uuid, p_engine text, p_reason text, p_by text) RETURNS void
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    INSERT INTO operator_stops (tenant_id, engine, reason, stopped_by) VALUES (p_tenant_id, p_engine, p_reason, p_by)
    ON CONFLICT (tenant_id, engine) DO UPDATE SET reason = excluded.reason, stopped_by = excluded.stopped_by
$$;

CREATE OR REPLACE FUNCTION resume_tenant(p_tenant_id uuid, p_engine text) RETURNS boolean
LANGUAGE sql VOLATILE SET search_path = public, pg_temp
AS $$
    WITH lifted AS (
        DELETE FROM operator_stops AS s WHERE s.tenant_id = p_tenant_id AND s.engine IS NOT DISTINCT FROM p_engine
        RETURNING s.id
    )
    SELECT EXISTS (SELECT FROM lifted)
$$;

REVOKE ALL ON FUNCTION may_act_for(uuid), check_same_tenant(), is_shared_domain(text), check_mail_claim(),
    stop_tenant(uuid, text, text, text), resume_tenant(uuid, text)
    FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION may_act_for(uuid) TO authenticated, service_role;
GRANT EXECUTE ON FUNCTION is_shared_domain(text), stop_tenant(uuid, text, text, text),
    resume_tenant(uuid, text) TO service_role;
