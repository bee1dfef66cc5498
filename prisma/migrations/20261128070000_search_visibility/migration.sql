-- Who may find an uploaded text follows its file, in the transaction that changes it, whoever makes the change. The
-- job that indexes the file comes later, and may not be able to read its object.
CREATE FUNCTION "handover_search_follows_owner"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "search_documents" SET "owner" = CASE WHEN NOT NEW."is_public" THEN NEW."uploaded_by" END
    WHERE "id" = 'upload:' || NEW."id";
    RETURN NULL;
END
$$;

CREATE TRIGGER "files_search_owner" AFTER UPDATE OF "is_public", "uploaded_by" ON "files"
    FOR EACH ROW WHEN (OLD."is_public" IS DISTINCT FROM NEW."is_public" OR OLD."uploaded_by" IS DISTINCT FROM NEW."uploaded_by")
    EXECUTE FUNCTION "handover_search_follows_owner"();

CREATE FUNCTION "handover_search_forgets_files"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM "search_documents" USING "deleted" WHERE "search_documents"."id" = 'upload:' || "deleted"."id";
    RETURN NULL;
END
$$;

CREATE TRIGGER "files_search_deleted" AFTER DELETE ON "files" REFERENCING OLD TABLE AS "deleted"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_search_forgets_files"();

-- Documents that are behind their files already.
UPDATE "search_documents" SET "owner" = CASE WHEN NOT "files"."is_public" THEN "files"."uploaded_by" END
FROM "files" WHERE "search_documents"."id" = 'upload:' || "files"."id"
    AND "search_documents"."owner" IS DISTINCT FROM CASE WHEN NOT "files"."is_public" THEN "files"."uploaded_by" END;
DELETE FROM "search_documents" WHERE "source" = 'upload'
    AND NOT EXISTS (SELECT FROM "files" WHERE "search_documents"."id" = 'upload:' || "files"."id");
