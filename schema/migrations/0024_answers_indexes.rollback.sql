DROP INDEX IF EXISTS idx_fleet_cases_of_no_client;
