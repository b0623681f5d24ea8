-- Letters: what delivery has to know of an action to word it, and what a reader does who wants no more of them.

-- What is known of each of these actions beside what its engine wrote into it.
--   contact_language  as the CRM has it: a tag ("de-AT") or a name ("German")
--   sender_name       whose name stands below the letter
--   link_template     where the reader finds what it is about, see tenant_letters.links
--   thread_*          the first message about the same subject that the same address got: what follows answers it
CREATE OR REPLACE FUNCTION letter_facts(p_actions bigint[])
RETURNS TABLE (
    action_id bigint, subject_id uuid, contact_language text, tenant_language text, locale text, time_zone text, currency text,
    postal_address text, signature text, link_template text, share_deal_titles boolean, sender_name text,
    thread_message_id text, thread_subject text
)
LANGUAGE sql STABLE SET search_path = public, pg_temp ROWS 50
AS $$
    SELECT a.id, a.subject_id,
           CASE WHEN a.kind = 'email' THEN coalesce(
               nullif(btrim(known.contact ->> 'language'), ''), nullif(btrim(known.contact ->> 'preferred_language'), ''),
               nullif(btrim(known.contact ->> 'locale'), ''),
               nullif(btrim(known.contact -> 'attributes' ->> 'language'), '')) END,
           l.language, k.locale, coalesce(k.time_zone, 'UTC'), l.currency, l.postal_address, l.signature,
           l.links ->> a.subject_type, coalesce(l.share_deal_titles, false), nullif(btrim(a.variables ->> 'owner_name'), ''),
           first.message_id, first.sent_subject
    FROM scheduled_actions AS a
    LEFT JOIN tenant_letters AS l ON l.tenant_id = a.tenant_id
    LEFT JOIN tenant_calendar AS k ON k.tenant_id = a.tenant_id
    LEFT JOIN contacts AS c ON c.id = a.contact_id AND c.tenant_id = a.tenant_id
    CROSS JOIN LATERAL (
        SELECT to_jsonb(c) AS contact, lower(btrim(coalesce(c.email, a.recipient))) AS address
    ) AS known
    LEFT JOIN LATERAL (
        SELECT f.message_id, f.sent_subject FROM scheduled_actions AS f
        WHERE f.subject_id = a.subject_id AND f.subject_type = a.subject_type AND f.tenant_id = a.tenant_id
          AND f.kind = 'email' AND f.status = 'sent' AND f.message_id IS NOT NULL AND f.sent_subject IS NOT NULL
          AND lower(btrim(f.sent_to)) = known.address
        ORDER BY f.sent_at, f.id LIMIT 1
    ) AS first ON a.kind = 'email'
    WHERE a.id = ANY (p_actions)
$$;

REVOKE ALL ON FUNCTION letter_facts(bigint[]) FROM PUBLIC, anon, authenticated;
GRANT EXECUTE ON FUNCTION letter_facts(bigint[]) TO service_role;
