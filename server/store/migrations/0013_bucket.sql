-- What was found in the watched bucket, by its path there. An image that waits for its signature
-- is stored under sha256; code and detail say why it was refused instead.
CREATE TABLE bucket_objects (
    path TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    tag TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    modified_at BIGINT NOT NULL,
    found_at BIGINT NOT NULL,
    product TEXT,
    version TEXT,
    sha256 TEXT,
    code TEXT,
    detail TEXT
);
CREATE INDEX bucket_objects_by_sha256 ON bucket_objects (sha256);
