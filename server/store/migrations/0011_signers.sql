-- The key that signed the manifest, 16 hex digits; NULL: of a program before this one, and filled in
-- when the server starts; '': of a manifest that cannot be read.
ALTER TABLE releases ADD COLUMN signer TEXT;
ALTER TABLE drafts ADD COLUMN signer TEXT;

-- What a product's newest root document says about keys: revoked 0 is a release key, 1 one that it revokes.
CREATE TABLE signing_keys (
    product TEXT NOT NULL REFERENCES products (name),
    key_id TEXT NOT NULL,
    revoked BIGINT NOT NULL,
    PRIMARY KEY (product, key_id)
);

-- Deletions of images; ended_at NULL: under way. The number rises with each of the same image.
CREATE TABLE image_deletions (
    sha256 TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL,
    begun_at BIGINT NOT NULL,
    ended_at BIGINT
);
