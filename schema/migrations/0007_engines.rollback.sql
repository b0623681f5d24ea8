ALTER TABLE IF EXISTS scheduled_actions DROP COLUMN IF EXISTS priority;
ALTER TABLE IF EXISTS engine_settings DROP CONSTRAINT IF EXISTS engine_settings_engine_fkey;
DROP TABLE IF EXISTS engines;
