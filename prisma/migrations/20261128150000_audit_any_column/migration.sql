-- A table that is audited may have a column of any name: one named "author" was taken for the trigger's variable. The
-- triggers of the tables that are audited already know no such column, and stay.
DO $change$
DECLARE
    "earlier" TEXT := pg_get_functiondef('"handover_audit"(REGCLASS, TEXT, TEXT[], TEXT[], JSONB, TEXT, TEXT[])'::REGPROCEDURE);
    "later" TEXT := replace("earlier", 'SET search_path FROM CURRENT AS $trigger$',
        E'SET search_path FROM CURRENT AS $trigger$\n        #variable_conflict use_variable');
BEGIN
    ASSERT "later" <> "earlier";
    EXECUTE "later";
END $change$;
