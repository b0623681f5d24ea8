-- What a tenant says in all its letters. The zone and the locale are in tenant_calendar, the sender in tenant_delivery.

CREATE TABLE tenant_letters (
    tenant_id         uuid PRIMARY KEY REFERENCES tenants (id) ON DELETE CASCADE,
    language          text CHECK (language ~ '^[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*$'),  -- for whom the CRM names none
    currency          text CHECK (currency ~ '^[A-Z]{3}$'),                              -- of amounts that name none
    postal_address    text CHECK (length(postal_address) <= 500),
    signature         text CHECK (length(signature) <= 500),                             -- below the names, in lines
    links             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(links) = 'object'),
    share_deal_titles boolean NOT NULL DEFAULT false                                     -- a deal's title is internal
);
COMMENT ON COLUMN tenant_letters.links IS
    'Where a customer finds what a letter is about: {"quote": "https://crm.example/quotes/{id}"}; {id}, or any variable of the letter';

-- Texts of a tenant's own, over the shipped ones. Every version stays: what was sent can be read again.
CREATE TABLE tenant_templates (
    tenant_id  uuid NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    template   text NOT NULL,
    language   text NOT NULL,
    version    integer NOT NULL CHECK (version > 0),
    source     text CHECK (length(source) <= 20000),    -- NULL: the shipped one again
    written_by text NOT NULL,
    written_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, template, language, version)
);
