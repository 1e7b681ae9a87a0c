ALTER TABLE certificates DROP CONSTRAINT certificates_pkey;
ALTER TABLE certificates ADD PRIMARY KEY (serial, issuer);
CREATE INDEX certificates_by_revocation ON certificates (revoked_at);
CREATE INDEX certificates_of_issuer ON certificates (issuer, organisation);
