CREATE FUNCTION audit_log_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.sequence <> 1 + coalesce((SELECT max(sequence) FROM audit_entries WHERE log = NEW.log), 0) THEN
        RAISE EXCEPTION 'an entry of the audit log only follows the last one';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER audit_entries_only_follow BEFORE INSERT ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION audit_log_follows();
