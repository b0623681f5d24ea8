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
