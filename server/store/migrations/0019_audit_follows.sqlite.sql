-- Without it INSERT OR REPLACE would set a head back.
CREATE TRIGGER audit_heads_only_follow BEFORE INSERT ON audit_heads
WHEN NEW.sequence <> 1 + coalesce((SELECT sequence FROM audit_heads WHERE log = NEW.log), 0)
BEGIN SELECT RAISE(ABORT, 'the head of the audit log only advances'); END;
