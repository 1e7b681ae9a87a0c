CREATE FUNCTION audit_log_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'an entry of the audit log never changes and never goes'; END $$;
CREATE TRIGGER audit_entries_stay BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_log_stays();
CREATE TRIGGER audit_entries_stay_together BEFORE TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();
CREATE TRIGGER audit_heads_only_advance BEFORE UPDATE ON audit_heads FOR EACH ROW
    WHEN (NEW.log <> OLD.log OR NEW.sequence <> OLD.sequence + 1)
    EXECUTE FUNCTION audit_log_stays();
CREATE TRIGGER audit_heads_never_go BEFORE DELETE ON audit_heads
    FOR EACH ROW EXECUTE FUNCTION audit_log_stays();
CREATE TRIGGER audit_heads_never_go_together BEFORE TRUNCATE ON audit_heads
    FOR EACH STATEMENT EXECUTE FUNCTION audit_log_stays();
