CREATE TABLE organisations (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE users (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    email TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL,
    firmware_version TEXT,
    phrase_type TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX users_of_organisation ON users (organisation, email);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT REFERENCES users (id),
    role TEXT NOT NULL,
    secret_sha256 TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_of_organisation ON tokens (organisation, id);

CREATE TABLE products (
    name TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    chip TEXT NOT NULL,
    flash_bytes BIGINT NOT NULL,
    slot_bytes BIGINT NOT NULL,
    download TEXT NOT NULL,
    phase_limits TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX products_of_organisation ON products (organisation, name);

CREATE TABLE roots (
    product TEXT NOT NULL REFERENCES products (name),
    number BIGINT NOT NULL,
    document BYTEA NOT NULL,
    PRIMARY KEY (product, number)
);

CREATE TABLE releases (
    product TEXT NOT NULL REFERENCES products (name),
    version TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    channel TEXT NOT NULL,
    notes TEXT NOT NULL,
    manifest BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    yanked_at BIGINT,
    PRIMARY KEY (product, version),
    UNIQUE (product, sequence)
);
CREATE INDEX releases_by_image ON releases (product, sha256);

CREATE TABLE devices (
    thing TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    product TEXT NOT NULL REFERENCES products (name),
    owner TEXT REFERENCES users (id),
    name TEXT,
    time_zone TEXT,
    agent BIGINT NOT NULL,
    running_sha256 TEXT,
    running_version TEXT,
    running_slot TEXT,
    running_state TEXT,
    online BIGINT NOT NULL,
    session_version BIGINT NOT NULL,
    last_seen_at BIGINT,
    created_at BIGINT NOT NULL
);
CREATE INDEX devices_of_organisation ON devices (organisation, thing);
CREATE INDEX devices_of_owner ON devices (owner);
CREATE INDEX devices_of_product ON devices (product, thing);

CREATE TABLE certificates (
    serial TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL REFERENCES devices (thing),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX certificates_of_thing ON certificates (thing);

CREATE TABLE claim_codes (
    code_sha256 TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL REFERENCES devices (thing),
    created_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX claim_codes_of_thing ON claim_codes (thing);

-- Not tied to devices: a shadow works for any thing name (name is '' for the classic one).
CREATE TABLE shadows (
    thing TEXT NOT NULL,
    name TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    document TEXT NOT NULL,
    version BIGINT NOT NULL,
    deleted BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (thing, name)
);

CREATE TABLE updates (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL REFERENCES devices (thing),
    product TEXT NOT NULL,
    version TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    from_version TEXT,
    from_sha256 TEXT,
    requested_by TEXT REFERENCES users (id),
    plain BIGINT NOT NULL,
    phase TEXT NOT NULL,
    outcome TEXT,
    reason BIGINT,
    done_bytes BIGINT NOT NULL,
    total_bytes BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    cancel_requested BIGINT NOT NULL,
    requested_at BIGINT NOT NULL,
    phase_at BIGINT NOT NULL,
    bytes_at BIGINT NOT NULL,
    told_at BIGINT,
    until_at BIGINT,
    deadline_at BIGINT,
    ended_at BIGINT
);
CREATE INDEX updates_of_thing ON updates (thing, requested_at);
CREATE INDEX updates_of_organisation ON updates (organisation, requested_at);
CREATE INDEX updates_by_deadline ON updates (deadline_at);

CREATE TABLE events (
    id BIGSERIAL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    owner TEXT,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX events_of_organisation ON events (organisation, id);
CREATE INDEX events_of_owner ON events (owner, id);
CREATE INDEX events_by_age ON events (created_at);

CREATE TABLE logs (
    id BIGSERIAL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL,
    received_at BIGINT NOT NULL,
    record TEXT NOT NULL
);
CREATE INDEX logs_of_thing ON logs (thing, id);
CREATE INDEX logs_by_age ON logs (received_at);
