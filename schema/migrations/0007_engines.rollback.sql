ALTER TABLE scheduled_actions DROP COLUMN priority;
ALTER TABLE engine_settings DROP CONSTRAINT engine_settings_engine_fkey;
DROP TABLE engines;
