-- "handover_audit" can be called again, with all columns, for a table that has got some: what it made before goes first, in
-- the same transaction. No table is rewritten or read.

ALTER FUNCTION "handover_audit"(REGCLASS, TEXT, TEXT[], TEXT[], JSONB, TEXT, TEXT[]) RENAME TO "handover_audit_triggers";

CREATE FUNCTION "handover_audit"(
    "table" REGCLASS, "entity" TEXT, "columns" TEXT[], "with_null" TEXT[] DEFAULT '{}', "renamed" JSONB DEFAULT '{}',
    "version" TEXT DEFAULT 'row_version', "as_empty" TEXT[] DEFAULT '{}'
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
    "trigger" TEXT;
BEGIN
    FOREACH "trigger" IN ARRAY '{audited_insert,audited_update,audited_delete,versioned}'::TEXT[] LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', "trigger", "table");
    END LOOP;
    EXECUTE format('DROP FUNCTION IF EXISTS %I, %I', 'handover_audit_' || "entity", 'handover_version_' || "entity");
    PERFORM "handover_audit_triggers"("table", "entity", "columns", "with_null", "renamed", "version", "as_empty");
END $$;
