-- A person's second factor: the sealed secret of an authenticator app, which counts once a code confirmed it. No
-- code of last_step or before is taken. It goes with its person, whichever program removes them.
CREATE TABLE second_factors (
    user_id TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    sealed_secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    confirmed_at BIGINT,
    last_step BIGINT NOT NULL
);

-- Codes for who has lost the app, each for once.
CREATE TABLE recovery_codes (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    code_sha256 TEXT NOT NULL,
    PRIMARY KEY (user_id, code_sha256)
);
