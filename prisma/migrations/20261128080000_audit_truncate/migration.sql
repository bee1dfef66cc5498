-- TRUNCATE fires no trigger of a row: entries are kept from it too.
CREATE TRIGGER "audit_entries_no_truncate" BEFORE TRUNCATE ON "audit_entries"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_keep_audit_entries"();
