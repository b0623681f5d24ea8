DROP INDEX IF EXISTS idx_contacts_folded;
