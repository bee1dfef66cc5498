-- How many rows there are of each kind, as one function that a slice attaches to its table with one line. The counters
-- stay as they are: exact in every transaction, whoever writes, and nobody waits for one.

DROP TRIGGER "items_come" ON "items";
DROP TRIGGER "items_go" ON "items";
DROP TRIGGER "items_vanish" ON "items";
DROP TRIGGER "items_move" ON "items";
DROP FUNCTION "handover_items_come_or_go"();
DROP FUNCTION "handover_item_moves"();
DROP FUNCTION "handover_count_item"(TEXT, TEXT, TEXT, BIGINT);
DROP FUNCTION "handover_recount_items"();
DROP TRIGGER "ideas_come" ON "ideas";
DROP TRIGGER "ideas_go" ON "ideas";
DROP TRIGGER "ideas_vanish" ON "ideas";
DROP TRIGGER "ideas_move" ON "ideas";
DROP FUNCTION "handover_ideas_come_or_go"();
DROP FUNCTION "handover_idea_moves"();
DROP FUNCTION "handover_count_idea"(TEXT, TEXT, TEXT, BIGINT);
DROP FUNCTION "handover_recount_ideas"();

-- The rows of "table" that are equal in the "columns" (none of them NULL) are counted in "totals", which has these
-- columns, a column named as the table, and "id". Makes handover_recount_<table>(), which counts anew: for rows and
-- counters that were restored into tables whose triggers counted the rows as well.
CREATE FUNCTION "handover_totals"("table" NAME, "totals" NAME, "columns" TEXT[]) RETURNS VOID LANGUAGE plpgsql AS $create$
DECLARE
    "count" TEXT := quote_ident('handover_count_' || "table");
    "changed" TEXT := quote_ident('handover_' || "table" || '_counted');
    "moved" TEXT := quote_ident('handover_' || "table" || '_moved');
    "kind" TEXT := (SELECT string_agg(quote_ident("column"), ', ') FROM unnest("columns") AS "column");
BEGIN
    -- A writer takes a counter that nobody else holds, and makes another when there is none: so there are never more of
    -- a kind than there were writers at once.
    EXECUTE format($format$
        CREATE FUNCTION %1$s("more" BIGINT, "of" %2$I) RETURNS VOID LANGUAGE plpgsql SET search_path FROM CURRENT AS $count$
        BEGIN
            UPDATE %3$I SET %2$I = %2$I + "more" WHERE "id" = (
                SELECT "id" FROM %3$I WHERE %4$s LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED);
            IF NOT FOUND THEN
                INSERT INTO %3$I (%5$s, %2$I) VALUES (%6$s, "more");
            END IF;
        END $count$
    $format$, "count", "table", "totals",
        (SELECT string_agg(format('%1$I = ("of").%1$I', "column"), ' AND ') FROM unnest("columns") AS "column"),
        "kind", (SELECT string_agg(format('("of").%I', "column"), ', ') FROM unnest("columns") AS "column"));
    EXECUTE format($format$
        CREATE FUNCTION %1$s() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $trigger$
        DECLARE
            "sign" INT := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
            "of" %2$I;
            "rows" BIGINT;
        BEGIN
            IF TG_OP = 'TRUNCATE' THEN
                DELETE FROM %3$I;
                RETURN NULL;
            END IF;
            FOR %4$s, "rows" IN SELECT %5$s, count(*) FROM "changed" GROUP BY %5$s LOOP
                PERFORM %6$s("sign" * "rows", "of");
            END LOOP;
            RETURN NULL;
        END $trigger$
    $format$, "changed", "table", "totals",
        (SELECT string_agg(format('"of".%I', "column"), ', ') FROM unnest("columns") AS "column"), "kind", "count");
    EXECUTE format($format$
        CREATE FUNCTION %1$s() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $trigger$
        BEGIN
            PERFORM %2$s(-1, OLD);
            PERFORM %2$s(1, NEW);
            RETURN NULL;
        END $trigger$
    $format$, "moved", "count");
    EXECUTE format($format$
        CREATE FUNCTION %1$I() RETURNS VOID LANGUAGE plpgsql AS $recount$
        BEGIN
            LOCK TABLE %2$I IN SHARE ROW EXCLUSIVE MODE;
            DELETE FROM %3$I;
            INSERT INTO %3$I (%4$s, %2$I) SELECT %4$s, count(*) FROM %2$I GROUP BY %4$s;
        END $recount$
    $format$, 'handover_recount_' || "table", "table", "totals", "kind");

    EXECUTE format('CREATE TRIGGER "counted_insert" AFTER INSERT ON %I REFERENCING NEW TABLE AS "changed"
        FOR EACH STATEMENT EXECUTE FUNCTION %s()', "table", "changed");
    EXECUTE format('CREATE TRIGGER "counted_delete" AFTER DELETE ON %I REFERENCING OLD TABLE AS "changed"
        FOR EACH STATEMENT EXECUTE FUNCTION %s()', "table", "changed");
    EXECUTE format('CREATE TRIGGER "counted_truncate" AFTER TRUNCATE ON %I
        FOR EACH STATEMENT EXECUTE FUNCTION %s()', "table", "changed");
    EXECUTE format('CREATE TRIGGER "counted_update" AFTER UPDATE OF %s ON %I FOR EACH ROW
        WHEN ((%s) IS DISTINCT FROM (%s)) EXECUTE FUNCTION %s()', "kind", "table",
        (SELECT string_agg(format('OLD.%I', "column"), ', ') FROM unnest("columns") AS "column"),
        (SELECT string_agg(format('NEW.%I', "column"), ', ') FROM unnest("columns") AS "column"), "moved");
    -- Also for sessions that replicate, and so skip ordinary triggers.
    EXECUTE format('ALTER TABLE %1$I ENABLE ALWAYS TRIGGER "counted_insert", ENABLE ALWAYS TRIGGER "counted_delete",
        ENABLE ALWAYS TRIGGER "counted_truncate", ENABLE ALWAYS TRIGGER "counted_update"', "table");
END $create$;

SELECT "handover_totals"('items', 'item_totals', '{status,category,priority}');
SELECT "handover_totals"('ideas', 'idea_totals', '{status,category,priority}');
