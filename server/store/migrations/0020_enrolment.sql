-- When a device's certificate ends, whose key it is for (SHA-256), and when it was first used.
-- NULL: issued before this was kept.
ALTER TABLE certificates ADD COLUMN not_after BIGINT;
ALTER TABLE certificates ADD COLUMN key_sha256 TEXT;
ALTER TABLE certificates ADD COLUMN used_at BIGINT;
-- The certificate whose place it takes once it is used: its serial number and its issuer.
ALTER TABLE certificates ADD COLUMN renews TEXT;
ALTER TABLE certificates ADD COLUMN renews_issuer TEXT;
CREATE INDEX certificates_renewing ON certificates (renews, renews_issuer);

-- Since when a device is out of service, which one took its place, and until when another key may
-- take its name by provisioning.
ALTER TABLE devices ADD COLUMN decommissioned_at BIGINT;
ALTER TABLE devices ADD COLUMN replaced_by TEXT;
ALTER TABLE devices ADD COLUMN reprovision_until BIGINT;
-- When its newest certificate ends.
ALTER TABLE devices ADD COLUMN certificate_ends_at BIGINT;

-- One device each may become a thing with the key it keeps. certificate is what it got: asked for
-- again with the same key it gets the same.
CREATE TABLE enrolment_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    thing TEXT NOT NULL,
    product TEXT NOT NULL REFERENCES products (name),
    secret_sha256 TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    used_at BIGINT,
    key_sha256 TEXT,
    issuer TEXT,
    serial TEXT,
    certificate TEXT
);
CREATE INDEX enrolment_tokens_of_organisation ON enrolment_tokens (organisation, id);
CREATE INDEX enrolment_tokens_of_thing ON enrolment_tokens (thing);

-- How devices of a batch become things. serials is 1 where only those in provisioning_serials may.
CREATE TABLE provisioning_templates (
    name TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    product TEXT NOT NULL REFERENCES products (name),
    thing_name TEXT NOT NULL,
    device_limit BIGINT,
    per_minute BIGINT NOT NULL,
    expires_at BIGINT,
    approve BIGINT NOT NULL,
    serials BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, name)
);

CREATE TABLE provisioning_serials (
    organisation TEXT NOT NULL,
    template TEXT NOT NULL,
    serial TEXT NOT NULL,
    PRIMARY KEY (organisation, template, serial),
    FOREIGN KEY (organisation, template)
        REFERENCES provisioning_templates (organisation, name) ON DELETE CASCADE
);

-- Certificates of a whole batch, which open nothing but its provisioning.
CREATE TABLE claim_certificates (
    serial TEXT NOT NULL,
    issuer TEXT NOT NULL,
    organisation TEXT NOT NULL,
    template TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (serial, issuer),
    FOREIGN KEY (organisation, template)
        REFERENCES provisioning_templates (organisation, name) ON DELETE CASCADE
);
CREATE INDEX claim_certificates_of_template ON claim_certificates (organisation, template, serial);
CREATE INDEX claim_certificates_by_revocation ON claim_certificates (revoked_at);

-- What became of each certificate that was issued to a claim: 'issued' (nobody's yet), 'waiting'
-- (for an operator), 'active', 'rejected'. Only those that are active are in certificates, too.
CREATE TABLE provisionings (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    template TEXT NOT NULL,
    claim TEXT NOT NULL,
    client_id TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    token_expires_at BIGINT NOT NULL,
    issuer TEXT NOT NULL,
    serial TEXT NOT NULL,
    key_sha256 TEXT NOT NULL,
    not_after BIGINT NOT NULL,
    state TEXT NOT NULL,
    thing TEXT,
    created_at BIGINT NOT NULL,
    provisioned_at BIGINT,
    decided_at BIGINT
);
CREATE INDEX provisionings_of_template ON provisionings (organisation, template, state);
CREATE INDEX provisionings_of_thing ON provisionings (thing, state);
CREATE INDEX provisionings_by_state ON provisionings (organisation, state, id);
