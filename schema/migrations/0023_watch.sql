-- What the fleet knows of itself: when each pass was last made, and what is wrong.

CREATE TABLE fleet_heartbeats (
    name text PRIMARY KEY,              -- catch_up, delivery, inbound, watch
    at   timestamptz NOT NULL
);

CREATE TABLE fleet_incidents (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key       text NOT NULL,            -- what is looked at; one incident of a key is open at a time
    what      text NOT NULL,
    why       text NOT NULL,
    mend      text NOT NULL,
    noted_at  timestamptz NOT NULL,     -- seen for the first time
    opened_at timestamptz,              -- seen again at the next look: it did not pass by itself
    closed_at timestamptz,              -- no longer seen
    told      text CHECK (told IN ('opened', 'closed'))
);
CREATE UNIQUE INDEX idx_incidents_current ON fleet_incidents (key) WHERE closed_at IS NULL;
CREATE INDEX idx_incidents_untold ON fleet_incidents (id) WHERE told IS DISTINCT FROM 'closed';
