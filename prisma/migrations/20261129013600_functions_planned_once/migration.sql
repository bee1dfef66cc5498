-- What each change runs, in PL/pgSQL, which plans a statement once in a session: functions in SQL were planned for each
-- change, an eighth of what a write costs PostgreSQL.

CREATE OR REPLACE FUNCTION "handover_audit_entry"(
    "entity" TEXT, "id" TEXT, "action" TEXT, "author" JSONB, "before" JSONB, "after" JSONB, "counted" BOOLEAN
) RETURNS VOID LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    "changes" JSONB;
BEGIN
    SELECT jsonb_object_agg("difference"."field", jsonb_build_object('before', "was", 'after', "is")) INTO "changes"
    FROM (SELECT "field", "old"."value" AS "was", "new"."value" AS "is"
        FROM jsonb_each("before") AS "old"("field", "value")
            FULL JOIN jsonb_each("after") AS "new"("field", "value") USING ("field")
        WHERE "old"."value" IS DISTINCT FROM "new"."value") AS "difference";
    IF "changes" IS NOT NULL OR "counted" THEN
        INSERT INTO "audit_entries" ("entity", "entity_id", "action", "actor", "request_id", "client", "changes")
        VALUES ("entity", "id", coalesce("author" ->> 'action', "action"), coalesce("author" ->> 'author', 'database'),
            "author" ->> 'request_id', "author" ->> 'client', coalesce("changes", '{}'));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION "handover_change_audience"("entity" TEXT, "entity_id" TEXT, "action" TEXT, "changes" JSONB)
RETURNS TEXT LANGUAGE plpgsql STABLE SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
BEGIN
    IF "entity" IN ('item', 'system', 'idea') THEN
        RETURN NULL;
    ELSIF "entity" <> 'file' OR "action" = 'imported' THEN
        RETURN '';
    ELSIF "action" = 'deleted' THEN
        RETURN CASE WHEN ("changes" #>> '{isPublic,before}') = 'true' THEN NULL
            ELSE coalesce("changes" #>> '{uploadedBy,before}', '') END;
    END IF;
    RETURN (SELECT CASE WHEN NOT "file"."is_public" THEN "file"."uploaded_by" END FROM "files" AS "file"
        WHERE "file"."id" = "entity_id" UNION ALL SELECT '' WHERE NOT EXISTS (SELECT FROM "files" WHERE "files"."id" = "entity_id"));
END $$;
