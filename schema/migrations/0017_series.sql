-- A series is one conversation about one subject: it has a number, it may wait for something, and it ends for a reason.
-- A mailbox is a person, whatever contacts bear its address.

-- hold: for what the series waits, until somebody acts; NULL: it goes on by itself. ended_for: why it is over.
ALTER TABLE deals
    ADD COLUMN follow_up_series integer NOT NULL DEFAULT 1,
    ADD COLUMN follow_up_hold text,
    ADD COLUMN follow_up_ended_for text;
ALTER TABLE quotes
    ADD COLUMN follow_up_series integer NOT NULL DEFAULT 1,
    ADD COLUMN follow_up_hold text,
    ADD COLUMN follow_up_ended_for text,
    ALTER COLUMN follow_up_day DROP EXPRESSION;
ALTER TABLE compliance_checks ADD COLUMN reminder_hold text;

-- code: the reason as one word, see docs/reference/reasons.md. mailbox: whom an e-mail goes to, folded. sent_body: what its
-- reader got, whatever becomes of the texts later.
ALTER TABLE scheduled_actions
    ADD COLUMN series integer NOT NULL DEFAULT 1,
    ADD COLUMN mailbox text,
    ADD COLUMN code text,
    ADD COLUMN sent_body text;

-- Of what waits for one mailbox the lowest number goes first.
ALTER TABLE engines ADD COLUMN urgency smallint NOT NULL DEFAULT 60;
DROP FUNCTION IF EXISTS register_engine(text), action_guards(bigint[]);  -- they change their signatures

-- What a person may be sent, and when. Whoever set a window before keeps every day of the week.
ALTER TABLE tenant_delivery
    ADD COLUMN mails_per_day  smallint NOT NULL DEFAULT 1 CHECK (mails_per_day BETWEEN 1 AND 1000),
    ADD COLUMN mails_per_week smallint NOT NULL DEFAULT 2 CHECK (mails_per_week BETWEEN 1 AND 1000),
    ADD COLUMN send_days      smallint[] NOT NULL DEFAULT '{1,2,3,4,5,6,7}'   -- ISO: 1 is Monday
        CHECK (send_days <@ '{1,2,3,4,5,6,7}' AND cardinality(send_days) > 0),
    ADD COLUMN deal_max_silence_days integer CHECK (deal_max_silence_days BETWEEN 1 AND 3650),   -- NULL: fleet_defaults'
    ADD COLUMN holidays       text CHECK (holidays ~ '^[A-Z]{2}(-[A-Z0-9]{1,3})?$');   -- DE, DE-BY; NULL: none are kept
ALTER TABLE tenant_delivery
    ALTER COLUMN send_days SET DEFAULT '{1,2,3,4,5}',
    ALTER COLUMN window_start SET DEFAULT '08:00',
    ALTER COLUMN window_end SET DEFAULT '18:00';

-- Public holidays of the countries that tenants name; filled by the delivery, see workers/delivery/holidays.py.
CREATE TABLE public_holidays (
    country text NOT NULL,
    day     date NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (country, day)
);

ALTER TABLE fleet_defaults
    ADD COLUMN deal_max_silence_days integer NOT NULL DEFAULT 180 CHECK (deal_max_silence_days BETWEEN 1 AND 3650);

-- Until when an absence note says that its writer is away: the last day, in the tenant's calendar. answer, sentiment: how a
-- person's mail was judged; NULL: it was not, or cannot be told.
ALTER TABLE inbound_messages
    ADD COLUMN away_until date,
    ADD COLUMN answer text,
    ADD COLUMN sentiment text;

-- What waits already is its subject's open message, and stands in its mailbox's queue.
UPDATE scheduled_actions AS a SET mailbox = regexp_replace(lower(btrim(w.address)), '^([^+@]+)\+[^@]*@', '\1@')
FROM (SELECT x.id, coalesce(x.sent_to, c.email, x.recipient) AS address FROM scheduled_actions AS x
      LEFT JOIN contacts AS c ON c.id = x.contact_id AND c.tenant_id = x.tenant_id
      WHERE x.kind = 'email' AND (x.status IN ('suggested', 'scheduled', 'sending') OR x.sent_at > now() - interval '8 days')) AS w
WHERE a.id = w.id AND btrim(w.address) <> '';
CREATE INDEX idx_actions_mailbox ON scheduled_actions (tenant_id, mailbox, sent_at) WHERE mailbox IS NOT NULL;

UPDATE deals AS d SET follow_up_hold = 'its message', next_follow_up_at = NULL
FROM scheduled_actions AS a
WHERE a.subject_type = 'deal' AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled', 'sending')
  AND d.id = a.subject_id AND d.tenant_id = a.tenant_id AND d.follow_up_ended_at IS NULL AND d.stalled_at IS NOT NULL;
UPDATE quotes AS q SET follow_up_hold = 'its message', next_follow_up_at = NULL
FROM scheduled_actions AS a
WHERE a.subject_type = 'quote' AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled', 'sending')
  AND q.id = a.subject_id AND q.tenant_id = a.tenant_id AND q.follow_up_ended_at IS NULL;
UPDATE compliance_checks AS c SET reminder_hold = 'its message'
FROM scheduled_actions AS a
WHERE a.subject_type = 'compliance_check' AND a.kind = 'email' AND a.status IN ('suggested', 'scheduled', 'sending')
  AND c.id = a.subject_id AND c.tenant_id = a.tenant_id AND c.status IN ('pending', 'awaiting_response');
