-- What the old services allowed can be stored; the API keeps its stricter rules for new values.

-- AlterTable
ALTER TABLE "audit_entries" ADD COLUMN     "import_job_id" UUID,
ADD COLUMN     "legacy" JSON,
ADD COLUMN     "legacy_id" TEXT;

-- AlterTable
ALTER TABLE "ideas" ALTER COLUMN "description" DROP NOT NULL;

-- AlterTable
ALTER TABLE "systems" ALTER COLUMN "description" DROP NOT NULL;

-- DropIndex
DROP INDEX "items_tags_idx";

-- DropIndex
DROP INDEX "systems_tags_idx";

ALTER TABLE "items"
    DROP CONSTRAINT "items_title_check",
    ADD CONSTRAINT "items_title_check" CHECK ("title" ~ '[^[:space:]]'),
    DROP CONSTRAINT "items_description_check",
    ADD CONSTRAINT "items_description_check" CHECK ("description" ~ '[^[:space:]]');
ALTER TABLE "systems"
    DROP CONSTRAINT "systems_name_check",
    ADD CONSTRAINT "systems_name_check" CHECK (char_length("name") <= 255 AND "name" ~ '[^[:space:]]');
ALTER TABLE "ideas"
    DROP CONSTRAINT "ideas_title_check",
    ADD CONSTRAINT "ideas_title_check" CHECK (char_length("title") <= 255 AND "title" ~ '[^[:space:]]');
ALTER TABLE "files" DROP CONSTRAINT "files_description_check";

-- The tags that can be asked for: longer ones would not fit into an index.
CREATE FUNCTION "handover_tags"("tags" TEXT[]) RETURNS TEXT[]
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN ARRAY(SELECT "tag" FROM unnest("tags") AS "all"("tag") WHERE char_length("tag") <= 200);
CREATE INDEX "items_tags_idx" ON "items" USING GIN ("handover_tags"("tags"));
CREATE INDEX "systems_tags_idx" ON "systems" USING GIN ("handover_tags"("tags"));

-- An entry of an old log comes once, however often it is imported.
CREATE UNIQUE INDEX "audit_entries_legacy_id_key" ON "audit_entries"("legacy_id") WHERE "legacy_id" IS NOT NULL;
