DROP INDEX IF EXISTS idx_actions_contact, idx_actions_recipient, idx_fleet_deals_title, idx_fleet_orders_number;
