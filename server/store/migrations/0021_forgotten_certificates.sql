-- Certificates whose device or template is forgotten, until every server of this database has
-- ended what stands on them.
CREATE TABLE forgotten_certificates (
    serial TEXT NOT NULL,
    issuer TEXT NOT NULL,
    revoked_at BIGINT NOT NULL,
    PRIMARY KEY (serial, issuer)
);
CREATE INDEX forgotten_certificates_by_revocation ON forgotten_certificates (revoked_at);
