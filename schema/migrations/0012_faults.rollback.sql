DROP TABLE IF EXISTS fleet_faults;
