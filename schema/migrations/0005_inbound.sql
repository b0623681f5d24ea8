-- What customers write: mail read once per tenant and Message-ID, and what was set aside with its reason.

-- Which tenant a recipient address, or a whole domain (@acme.example), belongs to.
CREATE TABLE tenant_mailboxes (
    address    text PRIMARY KEY CHECK (address = lower(btrim(address)) AND address LIKE '%@%'),
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE inbound_messages (
    id            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    tenant_id     uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    message_id    text NOT NULL,
    in_reply_to   text,
    reference_ids text[] NOT NULL DEFAULT '{}',
    from_address  text,
    from_name     text,
    to_addresses  text[] NOT NULL DEFAULT '{}',
    subject       text,
    sent_at       timestamptz,                  -- the Date header; received_at is ours
    text          text NOT NULL DEFAULT '',
    html          text,
    headers       jsonb NOT NULL DEFAULT '{}',
    raw_size      integer NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('reply', 'message', 'auto_reply', 'out_of_office', 'bounce', 'bulk')),
    contact_id    uuid REFERENCES contacts (id) ON DELETE SET NULL,
    client_id     uuid REFERENCES clients (id) ON DELETE SET NULL,
    action_id     bigint REFERENCES scheduled_actions (id) ON DELETE SET NULL,
    received_at   timestamptz NOT NULL,
    processed_at  timestamptz,                  -- when enrichment has read it
    UNIQUE (tenant_id, message_id)
);
CREATE INDEX idx_inbound_unprocessed ON inbound_messages (tenant_id, received_at)
    WHERE processed_at IS NULL AND kind IN ('reply', 'message');
CREATE INDEX idx_inbound_contact ON inbound_messages (contact_id, received_at);
CREATE INDEX idx_inbound_action ON inbound_messages (action_id) WHERE action_id IS NOT NULL;

-- Mail that could not be taken: broken, too large, hostile, or for nobody we know. Named by what it is, so
-- that the same message set aside twice is one row.
CREATE TABLE inbound_rejects (
    fingerprint text PRIMARY KEY,               -- SHA-256 of the raw message
    source      text NOT NULL,                  -- the file, mailbox or UID it came from
    message_id  text,
    reason      text NOT NULL,
    raw_size    bigint NOT NULL,
    received_at timestamptz NOT NULL
);

-- How far each polled IMAP folder has been read.
CREATE TABLE imap_folders (
    folder       text PRIMARY KEY,              -- user@host/FOLDER
    uid_validity bigint NOT NULL,
    last_uid     bigint NOT NULL,
    polled_at    timestamptz NOT NULL
);

-- Provider calls of a tenant's day, against its credit budget.
CREATE TABLE provider_usage (
    tenant_id uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    provider  text NOT NULL,
    day       date NOT NULL,
    credits   integer NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, provider, day)
);

-- What a person decided about a conflict; the same proposal is not asked again.
CREATE TABLE merge_decisions (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    queue_id    uuid NOT NULL REFERENCES contact_enrichment_queue (id) ON DELETE CASCADE,
    contact_id  uuid NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    field       text NOT NULL,
    current     text,
    proposed    text NOT NULL,
    decision    text NOT NULL CHECK (decision IN ('accepted', 'rejected')),
    decided_by  text,
    decided_at  timestamptz NOT NULL,
    UNIQUE (queue_id, field)
);

CREATE UNIQUE INDEX idx_enrichment_source ON contact_enrichment_queue (tenant_id, source, source_id)
    WHERE source_id IS NOT NULL;

-- Telephone numbers without a country code are read in the tenant's country (ISO 3166); NULL: unknown.
ALTER TABLE tenant_delivery ADD COLUMN phone_region text CHECK (phone_region ~ '^[A-Z]{2}$');

-- Rows that a provider has to be asked about wait apart from those that can be merged at once: a provider
-- may be closed for a day, and nobody should read past what waits for it. retry_at: not before.
ALTER TABLE contact_enrichment_queue ADD COLUMN retry_at timestamptz;
CREATE INDEX idx_enrichment_ready ON contact_enrichment_queue (tenant_id, created_at)
    WHERE status = 'pending' AND (source NOT IN ('apollo', 'web_search') OR extracted_data IS NOT NULL);
CREATE INDEX idx_enrichment_lookup ON contact_enrichment_queue
    (tenant_id, source, (coalesce(retry_at, '1970-01-01 00:00:00+00')), created_at)
    WHERE status = 'pending' AND source IN ('apollo', 'web_search') AND extracted_data IS NULL;
CREATE INDEX idx_enrichment_lookup_due ON contact_enrichment_queue
    ((coalesce(retry_at, '1970-01-01 00:00:00+00')), tenant_id)
    WHERE status = 'pending' AND source IN ('apollo', 'web_search') AND extracted_data IS NULL;
CREATE INDEX idx_enrichment_conflicts ON contact_enrichment_queue (tenant_id, processed_at)
    WHERE merge_conflicts <> '[]';
CREATE INDEX idx_merge_rejections ON merge_decisions (contact_id) WHERE decision = 'rejected';

-- Strong signals of people we know, for which nothing was started yet: the engine's work.
CREATE INDEX idx_signals_strong ON opportunity_signals (tenant_id, created_at)
    WHERE NOT actioned AND action_taken IS NULL AND signal_strength >= 0.8
      AND (contact_id IS NOT NULL OR client_id IS NOT NULL);

-- What remains of a provider's request windows, for all workers together. A pause is a window with no calls
-- left; failures counts those in a row, so that each pause is longer than the one before.
CREATE TABLE provider_limits (
    provider    text NOT NULL,
    window_name text NOT NULL CHECK (window_name IN ('minute', 'hour', 'day', 'pause')),
    calls_left  integer NOT NULL,
    ends_at     timestamptz NOT NULL,
    reason      text NOT NULL,
    failures    integer NOT NULL DEFAULT 0,
    PRIMARY KEY (provider, window_name)
);
