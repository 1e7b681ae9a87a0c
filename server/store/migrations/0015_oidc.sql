-- People as identity providers know them: by an issuer and by what that calls them. They go with
-- the person; a program that does not know this table may remove people, too.
CREATE TABLE identities (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- What the provider calls their address, verified or not: to be shown.
    email TEXT,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    -- When the token was made whose claims were looked at last.
    claims_at BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX identities_of_user ON identities (user_id);

-- Of sessions that a provider opened, what signing out there takes.
CREATE TABLE provider_sessions (
    secret_sha256 TEXT NOT NULL PRIMARY KEY REFERENCES sessions (secret_sha256) ON DELETE CASCADE,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    identity_id TEXT NOT NULL REFERENCES identities (id) ON DELETE CASCADE,
    -- What the provider calls its own session.
    provider_session TEXT,
    -- The provider's token, sealed.
    id_token BYTEA,
    -- When the person proved themselves anew because they were asked to.
    proven_at BIGINT
);
CREATE INDEX provider_sessions_of_identity ON provider_sessions (identity_id);
