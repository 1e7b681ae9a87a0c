-- Owners of devices after this thing name are still to be told of the release; NULL: all were.
ALTER TABLE releases ADD COLUMN tell_after TEXT;
