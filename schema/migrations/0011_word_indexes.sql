-- The indexes of open deals that go by how a stage is spelled: 0026 builds them again, by what it means.
DROP INDEX CONCURRENTLY IF EXISTS idx_deals_stall_detection;
DROP INDEX CONCURRENTLY IF EXISTS idx_deals_follow_up;
DROP INDEX CONCURRENTLY IF EXISTS idx_deals_due;
