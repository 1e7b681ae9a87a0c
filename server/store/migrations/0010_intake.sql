-- How a product's images are read, 'esp_idf' or 'raw'; NULL: esp_idf. The chip revisions of its devices.
ALTER TABLE products ADD COLUMN images TEXT;
ALTER TABLE products ADD COLUMN min_chip_revision BIGINT;
ALTER TABLE products ADD COLUMN max_chip_revision BIGINT;

-- What was read from a release's image and what is told about it, as JSON; NULL: of one published before.
ALTER TABLE releases ADD COLUMN image TEXT;
ALTER TABLE releases ADD COLUMN warnings TEXT;
ALTER TABLE releases ADD COLUMN security_counter BIGINT;
-- Where it comes from, as JSON; the document itself is in sboms.
ALTER TABLE releases ADD COLUMN source TEXT;
ALTER TABLE releases ADD COLUMN sbom TEXT;
ALTER TABLE releases ADD COLUMN yank_reason TEXT;
ALTER TABLE releases ADD COLUMN image_deleted_at BIGINT;
CREATE INDEX releases_by_sha256 ON releases (sha256);

-- Releases that are uploaded and not published: no query of devices or owners reads this table.
CREATE TABLE drafts (
    product TEXT NOT NULL REFERENCES products (name),
    version TEXT NOT NULL,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    sha256 TEXT NOT NULL,
    size_bytes BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    channel TEXT NOT NULL,
    notes TEXT NOT NULL,
    manifest BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    notes_by_language TEXT,
    safety TEXT,
    image TEXT,
    warnings TEXT,
    security_counter BIGINT,
    source TEXT,
    sbom TEXT,
    PRIMARY KEY (product, version),
    UNIQUE (product, sequence)
);
CREATE INDEX drafts_by_sha256 ON drafts (sha256);

-- Software bills of materials, under their SHA-256.
CREATE TABLE sboms (
    organisation TEXT NOT NULL REFERENCES organisations (id),
    sha256 TEXT NOT NULL,
    document BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (organisation, sha256)
);

-- Images on their way; the bytes received are in the image store.
CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    organisation TEXT NOT NULL REFERENCES organisations (id),
    size_bytes BIGINT NOT NULL,
    received_bytes BIGINT NOT NULL,
    sha256 TEXT,
    created_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL
);
CREATE INDEX uploads_of_organisation ON uploads (organisation, sha256);
CREATE INDEX uploads_by_age ON uploads (touched_at);

-- The channel a device follows; NULL: stable.
ALTER TABLE devices ADD COLUMN channel TEXT;
CREATE INDEX devices_by_image ON devices (running_sha256);
