DROP TABLE IF EXISTS fleet_incidents;
DROP TABLE IF EXISTS fleet_heartbeats;
