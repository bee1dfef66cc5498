-- Entries of the audit trail and versions of rows are written by PostgreSQL, so that no code can forget them: a slice
-- attaches both to its table with one line. No table is rewritten or read.

-- One entry: "before" and "after" are a row's facts as {field: value}, NULL when it was made or is gone. An entry shows
-- those that differ as {field: {"before": ..., "after": ...}}; without a difference there is one only if it is "counted".
CREATE FUNCTION "handover_audit_entry"(
    "entity" TEXT, "id" TEXT, "action" TEXT, "author" JSONB, "before" JSONB, "after" JSONB, "counted" BOOLEAN
) RETURNS VOID LANGUAGE sql AS $$
    INSERT INTO "audit_entries" ("entity", "entity_id", "action", "actor", "request_id", "client", "changes")
    SELECT "entity", "id", coalesce("author" ->> 'action', "action"), coalesce("author" ->> 'author', 'database'),
        "author" ->> 'request_id', "author" ->> 'client', coalesce("changes", '{}')
    FROM (SELECT jsonb_object_agg("field", jsonb_build_object('before', "old"."value", 'after', "new"."value"))
        FROM jsonb_each("before") AS "old"("field", "value")
            FULL JOIN jsonb_each("after") AS "new"("field", "value") USING ("field")
        WHERE "old"."value" IS DISTINCT FROM "new"."value") AS "difference"("changes")
    WHERE "changes" IS NOT NULL OR "counted"
$$;

-- Every statement that makes, changes or deletes rows of "table", whoever sends it, leaves an entry for each of them, and
-- the column "version", if there is one, counts the changes of each, unless the statement says it itself. Entries show the
-- "columns", "id" among them, in camelCase unless "renamed" ({column: name}) says otherwise. A NULL is left out, but for
-- the columns "with_null". An update in somebody's name leaves an entry also when it changes nothing but the version.
-- Settings of the transaction:
--   handover.author     {"author", "request_id", "client", "action"} as JSON; without it the actor is 'database'
--   handover.unaudited  names of tables, with commas between, for bulk work that leaves an entry of its own
CREATE FUNCTION "handover_audit"(
    "table" REGCLASS, "entity" TEXT, "columns" TEXT[], "with_null" TEXT[] DEFAULT '{}', "renamed" JSONB DEFAULT '{}',
    "version" TEXT DEFAULT 'row_version'
) RETURNS VOID LANGUAGE plpgsql AS $create$
DECLARE
    "name" TEXT := 'handover_audit_' || "entity";
    "facts" TEXT;
BEGIN
    SELECT string_agg(format('(%L, %s)', "field", "value"), ', ') INTO "facts"
    FROM unnest("columns") AS "column",
        LATERAL (SELECT coalesce("renamed" ->> "column", string_agg(
                CASE WHEN "place" = 1 THEN "word" ELSE initcap("word") END, '' ORDER BY "place"))
            FROM regexp_split_to_table("column", '_') WITH ORDINALITY AS "parts"("word", "place")) AS "named"("field"),
        LATERAL (SELECT format(CASE WHEN "column" = ANY ("with_null") THEN 'coalesce(%s, ''null'')' ELSE '%s' END,
            format(CASE WHEN "atttypid" = 'timestamptz'::REGTYPE
                THEN 'to_jsonb(to_char($row.%I AT TIME ZONE ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.MS"Z"''))'
                ELSE 'to_jsonb($row.%I)' END, "column"))
            FROM "pg_attribute" WHERE "attrelid" = "table" AND "attname" = "column" AND NOT "attisdropped") AS "form"("value");
    "facts" := 'CASE WHEN $row."id" IS NOT NULL THEN (SELECT jsonb_object_agg("field", "value") FROM (VALUES ' || "facts"
        || ') AS "given"("field", "value") WHERE "value" IS NOT NULL) END';

    EXECUTE format($format$
        -- Also for programs that name the table with its schema and search none.
        CREATE FUNCTION %1$I() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $trigger$
        DECLARE
            "author" JSONB := nullif(current_setting('handover.author', true), '');
        BEGIN
            IF TG_TABLE_NAME = ANY (string_to_array(current_setting('handover.unaudited', true), ',')) THEN
                RETURN NULL;
            END IF;
            -- So the servers of earlier releases call themselves, which write their entries themselves.
            IF "author" IS NULL AND current_setting('application_name') = 'handover' THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'INSERT' THEN
                PERFORM "handover_audit_entry"(%2$L, "later"."id"::TEXT, 'created', "author", NULL, %4$s, true)
                FROM "new_rows" AS "later";
            ELSIF TG_OP = 'DELETE' THEN
                PERFORM "handover_audit_entry"(%2$L, "earlier"."id"::TEXT, 'deleted', "author", %3$s, NULL, true)
                FROM "old_rows" AS "earlier";
            ELSE -- a row whose id changes has gone, and another one has come
                PERFORM "handover_audit_entry"(%2$L, coalesce("later"."id", "earlier"."id")::TEXT,
                    CASE WHEN "earlier"."id" IS NULL THEN 'created'
                        WHEN "later"."id" IS NULL THEN 'deleted' ELSE 'updated' END,
                    "author", %3$s, %4$s, %5$s)
                FROM "old_rows" AS "earlier" FULL JOIN "new_rows" AS "later" ON "later"."id" = "earlier"."id";
            END IF;
            RETURN NULL;
        END $trigger$
    $format$, "name", "entity", replace("facts", '$row', '"earlier"'), replace("facts", '$row', '"later"'), CASE WHEN "version" IS NULL THEN 'false'
        ELSE format('"author" IS NOT NULL AND "later".%1$I > "earlier".%1$I', "version") END);
    EXECUTE format('CREATE TRIGGER "audited_insert" AFTER INSERT ON %s REFERENCING NEW TABLE AS "new_rows"
        FOR EACH STATEMENT EXECUTE FUNCTION %I()', "table", "name");
    EXECUTE format('CREATE TRIGGER "audited_update" AFTER UPDATE ON %s REFERENCING OLD TABLE AS "old_rows" NEW TABLE AS "new_rows"
        FOR EACH STATEMENT EXECUTE FUNCTION %I()', "table", "name");
    EXECUTE format('CREATE TRIGGER "audited_delete" AFTER DELETE ON %s REFERENCING OLD TABLE AS "old_rows"
        FOR EACH STATEMENT EXECUTE FUNCTION %I()', "table", "name");

    IF "version" IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format($format$
        CREATE FUNCTION %1$I() RETURNS TRIGGER LANGUAGE plpgsql AS $trigger$
        BEGIN
            IF NEW.%2$I = OLD.%2$I THEN
                NEW.%2$I := OLD.%2$I + 1;
            END IF;
            RETURN NEW;
        END $trigger$
    $format$, 'handover_version_' || "entity", "version");
    EXECUTE format('CREATE TRIGGER "versioned" BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION %I()',
        (SELECT string_agg(quote_ident("column"), ', ') FROM unnest("columns") AS "column"), "table",
        'handover_version_' || "entity");
END $create$;

SELECT "handover_audit"('items', 'item', '{id,title,description,category,priority,status,tags,created_at,updated_at}',
    "with_null" => '{updated_at}', "version" => 'version');
SELECT "handover_audit"('api_keys', 'key', '{id,name,scope,created_by,created_at,expires_at,revoked_at}', "version" => NULL);
