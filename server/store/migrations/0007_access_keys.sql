-- Keys of AWS clients. Their secret is sealed, not hashed: a signature is checked with the secret itself.
ALTER TABLE tokens ADD COLUMN sealed_secret BYTEA;
-- The things a key is limited to, as a JSON array; NULL: any.
ALTER TABLE tokens ADD COLUMN things TEXT;
