DROP TABLE IF EXISTS matter_pauses;
