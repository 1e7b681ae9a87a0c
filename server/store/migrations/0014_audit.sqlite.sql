CREATE TRIGGER audit_entries_never_change BEFORE UPDATE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'an entry of the audit log never changes'); END;
CREATE TRIGGER audit_entries_never_go BEFORE DELETE ON audit_entries
BEGIN SELECT RAISE(ABORT, 'an entry of the audit log never goes'); END;
-- Without it INSERT OR REPLACE would do what the two above refuse.
CREATE TRIGGER audit_entries_only_follow BEFORE INSERT ON audit_entries
WHEN NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit_entries WHERE log = NEW.log), 0)
BEGIN SELECT RAISE(ABORT, 'an entry of the audit log only follows the last one'); END;
CREATE TRIGGER audit_heads_only_advance BEFORE UPDATE ON audit_heads
WHEN NEW.log <> OLD.log OR NEW.sequence <> OLD.sequence + 1
BEGIN SELECT RAISE(ABORT, 'the head of the audit log only advances'); END;
CREATE TRIGGER audit_heads_never_go BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'the head of the audit log never goes'); END;
