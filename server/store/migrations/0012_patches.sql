-- Patches, and the work of making them. base '': the packed image, made from nothing.
-- due_at: of what waits, when it may be taken; of what runs, the end of the lease.
CREATE TABLE patches (
    base TEXT NOT NULL,
    target TEXT NOT NULL,
    codec BIGINT NOT NULL,
    state TEXT NOT NULL,
    place BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    owner TEXT,
    attempts BIGINT NOT NULL,
    waits BIGINT NOT NULL,
    reason TEXT,
    detail TEXT,
    sha256 TEXT,
    size_bytes BIGINT,
    took_ms BIGINT,
    made_at BIGINT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (target, codec, base)
);
CREATE INDEX patches_due ON patches (state, due_at);
CREATE INDEX patches_by_sha256 ON patches (sha256);
CREATE INDEX patches_by_base ON patches (base);
