-- The last changes of each shadow. A row holds those of one commit; its slot is the version of the newest of them
-- modulo how many versions are kept, so that a new row takes the place of one that nobody needs any more.
-- Whose it is, the shadow says.
CREATE TABLE shadow_history (
    thing TEXT NOT NULL,
    name TEXT NOT NULL,
    slot BIGINT NOT NULL,
    version BIGINT NOT NULL,
    changes TEXT NOT NULL,
    PRIMARY KEY (thing, name, slot)
);
-- Keys that another secrets key sealed are found without opening any.
CREATE INDEX sealed_tokens ON tokens (id) WHERE sealed_secret IS NOT NULL;
