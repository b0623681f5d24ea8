-- By which `fleet explain` and the filters of `fleet actions` find a person, a deal, a quote or an order among all rows.

CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_contact ON scheduled_actions (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_actions_recipient ON scheduled_actions
    (tenant_id, (regexp_replace(lower(btrim(recipient)), '^([^+@]+)\+[^@]*@', '\1@'))) WHERE recipient IS NOT NULL;
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_inbound_mailbox ON inbound_messages
    (tenant_id, (regexp_replace(lower(btrim(from_address)), '^([^+@]+)\+[^@]*@', '\1@')), received_at);
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_suppressions_mailbox ON suppressions
    (tenant_id, (regexp_replace(lower(btrim(address)), '^([^+@]+)\+[^@]*@', '\1@')));
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_fleet_deals_title ON deals (tenant_id, lower(left(title::text, 200)));
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_fleet_orders_number ON orders (tenant_id, lower(left(order_number::text, 200)));
