CREATE TABLE certificates_by_issuer (
    serial TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL REFERENCES devices (thing),
    created_at BIGINT NOT NULL,
    revoked_at BIGINT,
    issuer TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (serial, issuer)
);
INSERT INTO certificates_by_issuer (serial, organisation, thing, created_at, revoked_at, issuer)
    SELECT serial, organisation, thing, created_at, revoked_at, issuer FROM certificates;
DROP TABLE certificates;
ALTER TABLE certificates_by_issuer RENAME TO certificates;
CREATE INDEX certificates_of_thing ON certificates (thing);
CREATE INDEX certificates_by_revocation ON certificates (revoked_at);
CREATE INDEX certificates_of_issuer ON certificates (issuer, organisation);
