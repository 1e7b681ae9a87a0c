-- Keys that sign timestamps and orders, where a root document names one. Their secret is sealed.
CREATE TABLE server_keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    public_key TEXT NOT NULL,
    sealed_secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
-- Whether an update replaces newer software by older; NULL: no.
ALTER TABLE updates ADD COLUMN downgrade BIGINT;
