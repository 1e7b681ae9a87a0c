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
