-- Whether a release of the product needs the word of a second person; NULL: no.
ALTER TABLE products ADD COLUMN needs_approval BIGINT;
-- Who had a part in it, and who approved it, as JSON. What waits for approval, or was rejected, is a draft: no
-- query of devices or owners reads those.
ALTER TABLE drafts ADD COLUMN approval TEXT;
ALTER TABLE releases ADD COLUMN approval TEXT;
