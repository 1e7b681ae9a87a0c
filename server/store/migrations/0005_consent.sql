-- Who decides about a product's releases, as JSON; NULL: the owner is asked.
ALTER TABLE products ADD COLUMN consent TEXT;
-- The product's settings, as a JSON array; NULL: any member of config may be set.
ALTER TABLE products ADD COLUMN settings TEXT;

-- Notes by language, as JSON (notes holds the English or only one), and what makes a release urgent.
ALTER TABLE releases ADD COLUMN notes_by_language TEXT;
ALTER TABLE releases ADD COLUMN safety TEXT;

-- The owner's choice, and since when the device is theirs.
ALTER TABLE devices ADD COLUMN install TEXT NOT NULL DEFAULT 'ask';
ALTER TABLE devices ADD COLUMN owned_at BIGINT;

-- 'owner', 'operator', 'policy' or 'backend'; and, of one put off, 'later' or 'tonight'.
ALTER TABLE updates ADD COLUMN decided_by TEXT;
ALTER TABLE updates ADD COLUMN put_off TEXT;

-- What a device was offered, and when it must be looked at again: reminder or deadline.
CREATE TABLE offers (
    thing TEXT NOT NULL PRIMARY KEY REFERENCES devices (thing),
    organisation TEXT NOT NULL REFERENCES organisations (id),
    version TEXT NOT NULL,
    offered_at BIGINT NOT NULL,
    reminders BIGINT NOT NULL,
    due_at BIGINT
);
CREATE INDEX offers_by_due ON offers (due_at);

-- People a device is shared with.
CREATE TABLE shares (
    thing TEXT NOT NULL REFERENCES devices (thing),
    person TEXT NOT NULL REFERENCES users (id),
    organisation TEXT NOT NULL REFERENCES organisations (id),
    since BIGINT NOT NULL,
    PRIMARY KEY (thing, person)
);
CREATE INDEX shares_of_person ON shares (person, thing);

-- A code that shares a device instead of giving it away, and when it stops working.
ALTER TABLE claim_codes ADD COLUMN shared_by TEXT;
ALTER TABLE claim_codes ADD COLUMN expires_at BIGINT;

-- Whom else than the owner an event concerned.
CREATE TABLE event_people (
    person TEXT NOT NULL,
    event BIGINT NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    PRIMARY KEY (person, event)
);
CREATE INDEX event_people_of_event ON event_people (event);

-- How long a product's updates take.
CREATE INDEX updates_of_product ON updates (product, outcome, id);

-- Whose word an update was: read when a person goes.
CREATE INDEX updates_of_requester ON updates (requested_by);
