DROP INDEX IF EXISTS idx_fleet_cases_client;
