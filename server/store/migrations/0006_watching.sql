-- When the device's last owner gave it up: what was before is theirs alone.
ALTER TABLE devices ADD COLUMN given_up_at BIGINT;
-- Nobody kept it until now: whatever is known of a device may be a former owner's.
UPDATE devices SET given_up_at = coalesce(
    owned_at,
    (SELECT max(requested_at) FROM updates WHERE updates.thing = devices.thing),
    created_at
);

-- Devices of a fleet by what they run and whether they are there.
CREATE INDEX devices_by_version ON devices (organisation, running_version, thing);
CREATE INDEX devices_by_presence ON devices (organisation, online, thing);

-- The phases an update went through: the first ones and the newest.
CREATE TABLE update_phases (
    update_id TEXT NOT NULL REFERENCES updates (id),
    number BIGINT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    phase TEXT NOT NULL,
    outcome TEXT,
    reason BIGINT,
    attempt BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (update_id, number)
);
-- Of older updates only the phase they are in is known.
INSERT INTO update_phases (update_id, number, organisation, phase, outcome, reason, attempt, at)
    SELECT id, 0, organisation, phase, outcome, reason, attempt, phase_at FROM updates;

-- What a person knows the browser of a session by.
ALTER TABLE sessions ADD COLUMN label TEXT;
