-- The registry of engines, in place of lists of their names. Each engine's own SQL enters it (register_engine); those
-- that have rows already are entered here, so that the reference below holds from its first moment.

CREATE TABLE engines (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z][a-z_]{1,39}$'),
    registered_at timestamptz NOT NULL DEFAULT now()
);

INSERT INTO engines (name) SELECT s.engine FROM engine_settings AS s UNION SELECT r.engine FROM engine_runs AS r;

ALTER TABLE engine_runs DROP CONSTRAINT engine_runs_engine_check;
ALTER TABLE engine_settings DROP CONSTRAINT engine_settings_engine_check;
ALTER TABLE engine_settings ADD CONSTRAINT engine_settings_engine_fkey FOREIGN KEY (engine) REFERENCES engines (name);

-- How urgent a task or a case is: the engine that writes it knows.
ALTER TABLE scheduled_actions
    ADD COLUMN priority text NOT NULL DEFAULT 'medium' CHECK (priority IN ('low', 'medium', 'high'));

-- What the contract replaces.
DROP TRIGGER IF EXISTS feedback_message_ended ON scheduled_actions;
DROP TRIGGER IF EXISTS signal_action_done ON scheduled_actions;
DROP FUNCTION IF EXISTS follow_feedback_message(), mark_signal_actioned(), fleet_refused_schedules();
DROP FUNCTION IF EXISTS answer_feedback(inbound_messages, scheduled_actions, jsonb);
DROP FUNCTION IF EXISTS recover_service(inbound_messages, uuid, jsonb);
DROP VIEW IF EXISTS action_guards;
