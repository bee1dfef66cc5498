-- CreateTable
CREATE TABLE "item_totals" (
    "id" BIGSERIAL NOT NULL,
    "status" TEXT NOT NULL,
    "category" TEXT NOT NULL,
    "priority" TEXT NOT NULL,
    "items" BIGINT NOT NULL,

    CONSTRAINT "item_totals_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idea_totals" (
    "id" BIGSERIAL NOT NULL,
    "status" TEXT NOT NULL,
    "category" TEXT NOT NULL,
    "priority" TEXT NOT NULL,
    "ideas" BIGINT NOT NULL,

    CONSTRAINT "idea_totals_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "item_totals_status_category_priority_idx" ON "item_totals"("status", "category", "priority");

-- CreateIndex
CREATE INDEX "idea_totals_status_category_priority_idx" ON "idea_totals"("status", "category", "priority");

-- Room in each page, so that a counter changes where it stands.
ALTER TABLE "item_totals" SET (fillfactor = 50);
ALTER TABLE "idea_totals" SET (fillfactor = 50);

-- How many rows there are of each status, category and priority is the sum of the counters of that kind: exact in every
-- transaction, whoever writes. A writer takes a counter that nobody else holds, and makes another when there is none: so
-- nobody waits for a counter, and there are never more of a kind than there were writers at once.

CREATE FUNCTION "handover_count_item"("of_status" TEXT, "of_category" TEXT, "of_priority" TEXT, "more" BIGINT)
    RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "item_totals" SET "items" = "items" + "more" WHERE "id" = (
        SELECT "id" FROM "item_totals"
        WHERE "status" = "of_status" AND "category" = "of_category" AND "priority" = "of_priority"
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
        INSERT INTO "item_totals" ("status", "category", "priority", "items")
        VALUES ("of_status", "of_category", "of_priority", "more");
    END IF;
END;
$$;

CREATE FUNCTION "handover_items_come_or_go"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    "sign" INT := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    "kind" RECORD;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM "item_totals";
        RETURN NULL;
    END IF;
    FOR "kind" IN SELECT "status", "category", "priority", count(*) AS "rows" FROM "changed" GROUP BY 1, 2, 3 LOOP
        PERFORM "handover_count_item"("kind"."status", "kind"."category", "kind"."priority", "sign" * "kind"."rows");
    END LOOP;
    RETURN NULL;
END;
$$;

CREATE FUNCTION "handover_item_moves"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM "handover_count_item"(OLD."status", OLD."category", OLD."priority", -1);
    PERFORM "handover_count_item"(NEW."status", NEW."category", NEW."priority", 1);
    RETURN NULL;
END;
$$;

CREATE TRIGGER "items_come" AFTER INSERT ON "items"
    REFERENCING NEW TABLE AS "changed" FOR EACH STATEMENT EXECUTE FUNCTION "handover_items_come_or_go"();
CREATE TRIGGER "items_go" AFTER DELETE ON "items"
    REFERENCING OLD TABLE AS "changed" FOR EACH STATEMENT EXECUTE FUNCTION "handover_items_come_or_go"();
CREATE TRIGGER "items_vanish" AFTER TRUNCATE ON "items"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_items_come_or_go"();
CREATE TRIGGER "items_move" AFTER UPDATE OF "status", "category", "priority" ON "items" FOR EACH ROW
    WHEN ((OLD."status", OLD."category", OLD."priority") IS DISTINCT FROM (NEW."status", NEW."category", NEW."priority"))
    EXECUTE FUNCTION "handover_item_moves"();

-- Also for sessions that replicate, and so skip ordinary triggers.
ALTER TABLE "items" ENABLE ALWAYS TRIGGER "items_come";
ALTER TABLE "items" ENABLE ALWAYS TRIGGER "items_go";
ALTER TABLE "items" ENABLE ALWAYS TRIGGER "items_vanish";
ALTER TABLE "items" ENABLE ALWAYS TRIGGER "items_move";

-- Counts anew: for rows and counters that were restored into tables whose triggers counted the rows as well.
CREATE FUNCTION "handover_recount_items"() RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE "items" IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM "item_totals";
    INSERT INTO "item_totals" ("status", "category", "priority", "items")
        SELECT "status", "category", "priority", count(*) FROM "items" GROUP BY 1, 2, 3;
END;
$$;
SELECT "handover_recount_items"();

CREATE FUNCTION "handover_count_idea"("of_status" TEXT, "of_category" TEXT, "of_priority" TEXT, "more" BIGINT)
    RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    UPDATE "idea_totals" SET "ideas" = "ideas" + "more" WHERE "id" = (
        SELECT "id" FROM "idea_totals"
        WHERE "status" = "of_status" AND "category" = "of_category" AND "priority" = "of_priority"
        LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
        INSERT INTO "idea_totals" ("status", "category", "priority", "ideas")
        VALUES ("of_status", "of_category", "of_priority", "more");
    END IF;
END;
$$;

CREATE FUNCTION "handover_ideas_come_or_go"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    "sign" INT := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
    "kind" RECORD;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM "idea_totals";
        RETURN NULL;
    END IF;
    FOR "kind" IN SELECT "status", "category", "priority", count(*) AS "rows" FROM "changed" GROUP BY 1, 2, 3 LOOP
        PERFORM "handover_count_idea"("kind"."status", "kind"."category", "kind"."priority", "sign" * "kind"."rows");
    END LOOP;
    RETURN NULL;
END;
$$;

CREATE FUNCTION "handover_idea_moves"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM "handover_count_idea"(OLD."status", OLD."category", OLD."priority", -1);
    PERFORM "handover_count_idea"(NEW."status", NEW."category", NEW."priority", 1);
    RETURN NULL;
END;
$$;

CREATE TRIGGER "ideas_come" AFTER INSERT ON "ideas"
    REFERENCING NEW TABLE AS "changed" FOR EACH STATEMENT EXECUTE FUNCTION "handover_ideas_come_or_go"();
CREATE TRIGGER "ideas_go" AFTER DELETE ON "ideas"
    REFERENCING OLD TABLE AS "changed" FOR EACH STATEMENT EXECUTE FUNCTION "handover_ideas_come_or_go"();
CREATE TRIGGER "ideas_vanish" AFTER TRUNCATE ON "ideas"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_ideas_come_or_go"();
CREATE TRIGGER "ideas_move" AFTER UPDATE OF "status", "category", "priority" ON "ideas" FOR EACH ROW
    WHEN ((OLD."status", OLD."category", OLD."priority") IS DISTINCT FROM (NEW."status", NEW."category", NEW."priority"))
    EXECUTE FUNCTION "handover_idea_moves"();

-- Also for sessions that replicate, and so skip ordinary triggers.
ALTER TABLE "ideas" ENABLE ALWAYS TRIGGER "ideas_come";
ALTER TABLE "ideas" ENABLE ALWAYS TRIGGER "ideas_go";
ALTER TABLE "ideas" ENABLE ALWAYS TRIGGER "ideas_vanish";
ALTER TABLE "ideas" ENABLE ALWAYS TRIGGER "ideas_move";

-- Counts anew: for rows and counters that were restored into tables whose triggers counted the rows as well.
CREATE FUNCTION "handover_recount_ideas"() RETURNS VOID LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE "ideas" IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM "idea_totals";
    INSERT INTO "idea_totals" ("status", "category", "priority", "ideas")
        SELECT "status", "category", "priority", count(*) FROM "ideas" GROUP BY 1, 2, 3;
END;
$$;
SELECT "handover_recount_ideas"();

-- The years that a timestamp of the API can name.
ALTER TABLE "items"
    ADD CONSTRAINT "items_years_check" CHECK ("created_at" >= '0001-01-01 00:00Z' AND "created_at" < '10000-01-01 00:00Z'
        AND "updated_at" >= '0001-01-01 00:00Z' AND "updated_at" < '10000-01-01 00:00Z');
ALTER TABLE "ideas"
    ADD CONSTRAINT "ideas_years_check" CHECK ("created_at" >= '0001-01-01 00:00Z' AND "created_at" < '10000-01-01 00:00Z'
        AND "updated_at" >= '0001-01-01 00:00Z' AND "updated_at" < '10000-01-01 00:00Z'
        AND "due_date" >= '0001-01-01 00:00Z' AND "due_date" < '10000-01-01 00:00Z'
        AND "completed_at" >= '0001-01-01 00:00Z' AND "completed_at" < '10000-01-01 00:00Z');
