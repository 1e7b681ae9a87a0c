-- Authorities of others: each signs for devices of its organisation alone, and is known by the
-- SHA-256 of its certificate. No two have the same key.
CREATE TABLE authorities (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    label TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    key_sha256 TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);
CREATE INDEX authorities_of_organisation ON authorities (organisation, fingerprint);

-- A serial number is unique for its issuer alone. '' is the server's own authority, where a
-- program wrote the row that knows of no other.
ALTER TABLE certificates ADD COLUMN issuer TEXT NOT NULL DEFAULT '';
