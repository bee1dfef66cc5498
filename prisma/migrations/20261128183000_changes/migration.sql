-- CreateTable
CREATE TABLE "changes" (
    "id" BIGSERIAL NOT NULL,
    "xid" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    "model" TEXT NOT NULL,
    "operation" TEXT NOT NULL,
    "row_id" TEXT,
    "fields" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "origin" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT clock_timestamp(),

    CONSTRAINT "changes_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "changes_xid_idx" ON "changes"("xid");

-- A statement that writes up to 20 rows is logged row by row, one that writes more, or TRUNCATE, as one line without id.
CREATE FUNCTION "handover_log_change"() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_variable
DECLARE
    "origin" CONSTANT TEXT := nullif(current_setting('handover.origin', true), '');
    "most" CONSTANT INT := 20;
    "count" INT := "most" + 1;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO "count" FROM (SELECT FROM "new_rows" LIMIT "most" + 1) AS "some";
    ELSIF TG_OP IN ('UPDATE', 'DELETE') THEN
        SELECT count(*) INTO "count" FROM (SELECT FROM "old_rows" LIMIT "most" + 1) AS "some";
    END IF;
    IF "count" > "most" THEN
        INSERT INTO "changes" ("model", "operation", "origin") VALUES (TG_ARGV[0],
            CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END, "origin");
    ELSIF TG_OP = 'INSERT' THEN
        INSERT INTO "changes" ("model", "operation", "row_id", "origin")
        SELECT TG_ARGV[0], 'create', "id"::TEXT, "origin" FROM "new_rows";
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO "changes" ("model", "operation", "row_id", "origin")
        SELECT TG_ARGV[0], 'delete', "id"::TEXT, "origin" FROM "old_rows";
    ELSE -- a row whose id changes has gone, and another one has come
        INSERT INTO "changes" ("model", "operation", "row_id", "fields", "origin")
        SELECT TG_ARGV[0], CASE WHEN "later"."id" IS NULL THEN 'delete' WHEN "earlier"."id" IS NULL THEN 'create'
                ELSE 'update' END, coalesce("later"."id", "earlier"."id")::TEXT,
            ARRAY(SELECT "key" FROM jsonb_each(to_jsonb("earlier")) AS "was"("key", "value")
                JOIN jsonb_each(to_jsonb("later")) AS "is"("key", "value") USING ("key")
                WHERE "was"."value" <> "is"."value"), "origin"
        FROM "old_rows" AS "earlier" FULL JOIN "new_rows" AS "later" ON "later"."id" = "earlier"."id";
    END IF;
    RETURN NULL;
END $$;

-- Logs what statements do to the rows of "table" (with a column "id"), whoever sends them: of the "events" that change
-- answers. `Feature.renews` says what follows.
CREATE FUNCTION "handover_log_changes"("table" REGCLASS, "model" TEXT, "events" TEXT[] DEFAULT '{INSERT,UPDATE,DELETE}')
RETURNS VOID LANGUAGE plpgsql AS $create$
DECLARE
    "event" TEXT;
    "name" TEXT;
BEGIN
    FOREACH "event" IN ARRAY "events" || '{TRUNCATE}'::TEXT[] LOOP
        "name" := 'logged_' || lower("event");
        EXECUTE format('CREATE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION "handover_log_change"(%L)',
            "name", "event", "table", CASE "event"
                WHEN 'INSERT' THEN 'REFERENCING NEW TABLE AS "new_rows"'
                WHEN 'UPDATE' THEN 'REFERENCING OLD TABLE AS "old_rows" NEW TABLE AS "new_rows"'
                WHEN 'DELETE' THEN 'REFERENCING OLD TABLE AS "old_rows"' ELSE '' END, "model");
        -- Also for sessions that replicate, and so skip ordinary triggers.
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', "table", "name");
    END LOOP;
END $create$;

SELECT "handover_log_changes"('items', 'Item');
SELECT "handover_log_changes"('systems', 'System');
SELECT "handover_log_changes"('ideas', 'Idea');
SELECT "handover_log_changes"('files', 'File');
SELECT "handover_log_changes"('api_keys', 'ApiKey');
SELECT "handover_log_changes"('search_documents', 'SearchDocument');
-- Entries come with changes of other rows, which are logged themselves.
SELECT "handover_log_changes"('audit_entries', 'AuditEntry', '{DELETE}');

-- Deletions from the log are logged by the newest transaction whose lines are gone: who has not seen it has missed some.
CREATE FUNCTION "handover_log_pruning"() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        INSERT INTO "changes" ("model", "operation") VALUES (TG_ARGV[0], 'delete');
    ELSE
        INSERT INTO "changes" ("model", "operation", "row_id")
        SELECT TG_ARGV[0], 'delete', "old_rows"."xid"::TEXT FROM "old_rows" ORDER BY "old_rows"."xid" DESC LIMIT 1;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER "logged_delete" AFTER DELETE ON "changes" REFERENCING OLD TABLE AS "old_rows"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_log_pruning"('Change');
CREATE TRIGGER "logged_truncate" AFTER TRUNCATE ON "changes" FOR EACH STATEMENT EXECUTE FUNCTION "handover_log_pruning"('Change');
ALTER TABLE "changes" ENABLE ALWAYS TRIGGER "logged_delete";
ALTER TABLE "changes" ENABLE ALWAYS TRIGGER "logged_truncate";
