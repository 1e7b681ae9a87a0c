-- Authorities of the server's own, by the SHA-256 of their certificates: whose certificates of
-- devices every server of this database believes, until one is retired. Their keys are not here.
CREATE TABLE server_authorities (
    fingerprint TEXT NOT NULL PRIMARY KEY,
    certificate BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);
CREATE INDEX claim_certificates_of_issuer ON claim_certificates (issuer);
