-- Indexes on the fleet's own tables go with their tables; these stand on the CRM's.
DROP INDEX IF EXISTS idx_deals_stall_detection, idx_deals_follow_up, idx_deals_due,
    idx_contacts_primary, idx_contacts_address, idx_cases_order;
