-- CreateTable
CREATE TABLE "change_events" (
    "id" BIGINT NOT NULL,
    "position" BIGINT,
    "entity" TEXT NOT NULL,
    "entity_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "fields" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "audience" TEXT,
    "at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "change_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "change_positions" (
    "id" INTEGER NOT NULL DEFAULT 1,
    "newest" BIGINT NOT NULL DEFAULT 0,
    "kept_from" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "change_positions_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "change_events_position_key" ON "change_events"("position");

-- CreateIndex
CREATE INDEX "change_events_entity_entity_id_position_idx" ON "change_events"("entity", "entity_id", "position");

CREATE INDEX "change_events_waiting_idx" ON "change_events"("id") WHERE "position" IS NULL;
ALTER TABLE "change_positions" ADD CONSTRAINT "change_positions_one_row" CHECK ("id" = 1);

-- What is older than this has no events.
INSERT INTO "change_positions" ("kept_from") VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT);

-- Who may be told of a change besides administrators: NULL is everybody, '' nobody, else the holder of that name. Of a
-- file that is not public as the change leaves it only its uploader. A slice whose rows everybody may see adds its entity.
CREATE FUNCTION "handover_change_audience"("entity" TEXT, "entity_id" TEXT, "action" TEXT, "changes" JSONB)
RETURNS TEXT LANGUAGE sql STABLE SET search_path FROM CURRENT AS $$
    SELECT CASE
        WHEN "entity" IN ('item', 'system', 'idea') THEN NULL
        WHEN "entity" <> 'file' OR "action" = 'imported' THEN ''
        WHEN "action" = 'deleted' THEN CASE WHEN ("changes" #>> '{isPublic,before}') = 'true' THEN NULL
            ELSE coalesce("changes" #>> '{uploadedBy,before}', '') END
        ELSE coalesce((SELECT CASE WHEN NOT "is_public" THEN "uploaded_by" END FROM "files" WHERE "id" = "entity_id"
            UNION ALL SELECT '' WHERE NOT EXISTS (SELECT FROM "files" WHERE "id" = "entity_id"))) END
$$;

-- Each new entry of the audit trail becomes an event without a position, in the transaction of the change. Entries that
-- were taken over tell of changes elsewhere.
CREATE FUNCTION "handover_change_event"() RETURNS TRIGGER LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO "change_events" ("id", "entity", "entity_id", "action", "actor", "fields", "audience", "at")
    SELECT "id", "entity", "entity_id", "action", "actor",
        ARRAY(SELECT "field" FROM jsonb_each("changes") AS "each"("field", "value")
            WHERE jsonb_typeof("value") = 'object' AND "value" ?| '{before,after}' ORDER BY "field"),
        "handover_change_audience"("entity", "entity_id", "action", "changes"), "at"
    FROM "new_rows" WHERE "legacy_id" IS NULL;
    RETURN NULL;
END $$;

CREATE TRIGGER "told" AFTER INSERT ON "audit_entries" REFERENCING NEW TABLE AS "new_rows"
    FOR EACH STATEMENT EXECUTE FUNCTION "handover_change_event"();

-- The sequencer: gives positions to at most so many events that are committed, and returns how many there were. One runs
-- at a time: the row of "change_positions" is its lease, which ends with the transaction, however that ends. A position is
-- a moment in microseconds, but never before another one; what lies between two is left to chance, so that a gap tells
-- nobody of events that are not for him. Events of a row keep their order, as their ids are drawn while it is locked.
CREATE FUNCTION "handover_sequence_changes"("most" INT) RETURNS INT LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
#variable_conflict use_column
DECLARE
    "start" BIGINT;
    "end" BIGINT;
    "count" INT;
BEGIN
    IF NOT EXISTS (SELECT FROM "change_events" WHERE "position" IS NULL) THEN
        RETURN 0;
    END IF;
    INSERT INTO "change_positions" ("id") VALUES (1) ON CONFLICT ("id") DO UPDATE SET "id" = 1
        RETURNING greatest("newest", (extract(epoch FROM clock_timestamp()) * 1000000)::BIGINT) INTO "start";
    -- A statement of its own, which sees all that those before have committed.
    WITH "waiting" AS MATERIALIZED (
        SELECT "id" FROM "change_events" WHERE "position" IS NULL ORDER BY "id" LIMIT "most"
    ), "placed" AS MATERIALIZED (
        SELECT "id", ("start" + sum(1 + floor(-50 * ln(1 - random()))) OVER (ORDER BY "id"))::BIGINT AS "place" FROM "waiting"
    ), "given" AS (
        UPDATE "change_events" SET "position" = "place" FROM "placed" WHERE "change_events"."id" = "placed"."id"
        RETURNING "place"
    ) SELECT max("place"), count(*) INTO "end", "count" FROM "given";
    IF "count" > 0 THEN
        UPDATE "change_positions" SET "newest" = "end";
    END IF;
    RETURN "count";
END $$;
