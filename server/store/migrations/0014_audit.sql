-- Who changed what: docs/audit.md. Triggers refuse whatever changes or removes an entry; they are
-- in the files of each engine beside this one.
CREATE TABLE audit_entries (
    log TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id TEXT,
    actor_name TEXT,
    actor_person TEXT,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    object_name TEXT,
    before_change TEXT,
    after_change TEXT,
    address TEXT,
    user_agent TEXT,
    request TEXT,
    prev_hash TEXT NOT NULL,
    hash TEXT NOT NULL,
    PRIMARY KEY (log, sequence)
);
CREATE INDEX audit_entries_by_action ON audit_entries (log, action, sequence);
CREATE INDEX audit_entries_by_object ON audit_entries (log, object_id, sequence);
CREATE INDEX audit_entries_by_time ON audit_entries (log, at);

-- The last entry of each log.
CREATE TABLE audit_heads (
    log TEXT NOT NULL PRIMARY KEY,
    sequence BIGINT NOT NULL,
    hash TEXT NOT NULL
);
