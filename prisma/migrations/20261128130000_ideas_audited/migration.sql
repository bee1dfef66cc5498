-- Entries about ideas and versions of them are written by PostgreSQL. No table is rewritten or read.

-- As before, but for numbers that are no whole ones, for texts whose NULL is shown as an empty one, and for imported rows
-- that lose what they belonged to.
DROP FUNCTION "handover_audit"(REGCLASS, TEXT, TEXT[], TEXT[], JSONB, TEXT);

-- Every statement that makes, changes or deletes rows of "table", whoever sends it, leaves an entry for each of them, and
-- the column "version", if there is one, counts the changes of each, unless the statement says it itself. Entries show the
-- "columns", "id" among them, in camelCase unless "renamed" ({column: name}) says otherwise. A NULL is left out, but for
-- the columns "with_null", and is an empty text in the columns "as_empty". An update in somebody's name leaves an entry
-- also when it changes nothing but the version.
-- Settings of the transaction:
--   handover.author     {"author", "request_id", "client", "action"} as JSON; without it the actor is 'database'
--   handover.unaudited  names of tables, with commas between, for bulk work that leaves an entry of its own
CREATE FUNCTION "handover_audit"(
    "table" REGCLASS, "entity" TEXT, "columns" TEXT[], "with_null" TEXT[] DEFAULT '{}', "renamed" JSONB DEFAULT '{}',
    "version" TEXT DEFAULT 'row_version', "as_empty" TEXT[] DEFAULT '{}'
) RETURNS VOID LANGUAGE plpgsql AS $create$
DECLARE
    "name" TEXT := 'handover_audit_' || "entity";
    "facts" TEXT;
    "imported" BOOLEAN := EXISTS (SELECT FROM "pg_attribute" WHERE "attrelid" = "table" AND "attname" = 'import_version');
BEGIN
    SELECT string_agg(format('(%L, %s)', "field", "value"), ', ') INTO "facts"
    FROM unnest("columns") AS "column",
        LATERAL (SELECT coalesce("renamed" ->> "column", string_agg(
                CASE WHEN "place" = 1 THEN "word" ELSE initcap("word") END, '' ORDER BY "place"))
            FROM regexp_split_to_table("column", '_') WITH ORDINALITY AS "parts"("word", "place")) AS "named"("field"),
        LATERAL (SELECT format(CASE WHEN "column" = ANY ("with_null") THEN 'coalesce(%s, ''null'')'
                WHEN "column" = ANY ("as_empty") THEN 'coalesce(%s, ''""'')' ELSE '%s' END,
            format(CASE "atttypid" WHEN 'timestamptz'::REGTYPE
                THEN 'to_jsonb(to_char($row.%I AT TIME ZONE ''UTC'', ''YYYY-MM-DD"T"HH24:MI:SS.MS"Z"''))'
                WHEN 'float8'::REGTYPE THEN 'to_jsonb($row.%I::TEXT::NUMERIC + 0.0)' -- 8.0, as the API writes it
                ELSE 'to_jsonb($row.%I)' END, "column"))
            FROM "pg_attribute" WHERE "attrelid" = "table" AND "attname" = "column" AND NOT "attisdropped") AS "form"("value");
    "facts" := 'CASE WHEN $row."id" IS NOT NULL THEN (SELECT jsonb_object_agg("field", "value") FROM (VALUES ' || "facts"
        || ') AS "given"("field", "value") WHERE "value" IS NOT NULL) END';

    EXECUTE format($format$
        -- Also for programs that name the table with its schema and search none.
        CREATE FUNCTION %1$I() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $trigger$
        #variable_conflict use_variable
        DECLARE
            "author" JSONB := nullif(current_setting('handover.author', true), '');
        BEGIN
            IF TG_TABLE_NAME = ANY (string_to_array(current_setting('handover.unaudited', true), ',')) THEN
                RETURN NULL;
            END IF;
            -- So the servers of earlier releases call themselves, which write their entries themselves.
            IF "author" IS NULL AND current_setting('application_name') IN ('handover', 'handover-server') THEN
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
                NEW.%2$I := OLD.%2$I + 1;%3$s
            END IF;
            RETURN NEW;
        END $trigger$
    $format$, 'handover_version_' || "entity", "version", CASE WHEN "imported" THEN format($format$
                -- What goes with another row nobody has changed: the row is still as its import left it.
                IF pg_trigger_depth() > 1 AND OLD.import_version = OLD.%1$I THEN
                    NEW.import_version := NEW.%1$I;
                END IF;$format$, "version") END);
    EXECUTE format('CREATE TRIGGER "versioned" BEFORE UPDATE OF %s ON %s FOR EACH ROW EXECUTE FUNCTION %I()',
        (SELECT string_agg(quote_ident("column"), ', ') FROM unnest("columns") AS "column"), "table",
        'handover_version_' || "entity");
END $create$;

SELECT "handover_audit"('ideas', 'idea', '{id,title,description,category,priority,status,tags,system_id,assigned_to,created_by,estimated_hours,actual_hours,due_date,completed_at,created_at,updated_at}',
    "as_empty" => '{description}');
