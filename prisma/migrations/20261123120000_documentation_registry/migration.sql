-- Text as search compares it: lower case, without accents.
CREATE FUNCTION "handover_fold"("value" TEXT) RETURNS TEXT
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(normalize(lower("value"), NFD), '[\u0300-\u036f]', '', 'g');

-- Folded text with punctuation and symbols turned into spaces: the parts of a path, an address or a file name are words.
-- The characters are listed, because what a locale calls a letter differs between servers.
CREATE FUNCTION "handover_terms"("value" TEXT) RETURNS TEXT
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace("handover_fold"("value"),
        '[\u0001-/:-@\[-`{-\u00a9\u00ab-\u00b9\u00bb-\u00bf\u00d7\u00f7\u2000-\u206f\u2190-\u2bff\u3000-\u303f\ufe00-\ufe0f\ufeff\U0001f000-\U0001faff]+',
        ' ', 'g');

-- Portuguese terms as the stemmer needs them: it knows "ação" by its accents, and not the plural in "ões" (versões).
CREATE FUNCTION "handover_portuguese"("terms" TEXT) RETURNS TEXT
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN regexp_replace(regexp_replace("terms", 'oes\M', 'ao', 'g'), 'cao\M', 'ção', 'g');

-- The words of a document: as they are written, and as stems in the two languages of the registry. Of a very long
-- text the first 100,000 characters are searched: PostgreSQL refuses a row whose words exceed 1 MB.
CREATE FUNCTION "handover_words"("heading" TEXT, "body" TEXT) RETURNS TSVECTOR
    LANGUAGE SQL IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector('simple'::regconfig, "handover_terms"(left(coalesce("heading", ''), 10000)))
            || to_tsvector('portuguese'::regconfig, "handover_portuguese"("handover_terms"(left(coalesce("heading", ''), 10000))))
            || to_tsvector('english'::regconfig, "handover_terms"(left(coalesce("heading", ''), 10000))), 'A')
        || setweight(to_tsvector('simple'::regconfig, "handover_terms"(left(coalesce("body", ''), 100000)))
            || to_tsvector('portuguese'::regconfig, "handover_portuguese"("handover_terms"(left(coalesce("body", ''), 100000))))
            || to_tsvector('english'::regconfig, "handover_terms"(left(coalesce("body", ''), 100000))), 'B');

-- What somebody typed, as a query of `handover_words`: every word must occur, as it is written or as its stem in either
-- language, and the last one may be unfinished. No text is an operator or an error. Before the last word, stop words
-- are not asked for; punctuation alone matches nothing. The first 1,000 characters count.
CREATE FUNCTION "handover_query"("value" TEXT) RETURNS TSQUERY
    LANGUAGE SQL IMMUTABLE STRICT PARALLEL SAFE
    RETURN coalesce((
        SELECT string_agg('(' || "alternatives" || CASE WHEN "last" THEN ':*)' ELSE ')' END, ' & ')::tsquery
        FROM (
            SELECT "place" = max("place") OVER () AS "last", "portuguese" = '{}' OR "english" = '{}' AS "stop",
                (SELECT string_agg('''' || "lexeme" || '''', ' | ' ORDER BY "lexeme" = ANY("written"), "lexeme")
                    FROM (SELECT DISTINCT unnest("written" || "portuguese" || "english")) AS "all"("lexeme")
                ) AS "alternatives"
            FROM (
                SELECT "place",
                    tsvector_to_array(to_tsvector('simple'::regconfig, "word")) AS "written",
                    tsvector_to_array(to_tsvector('portuguese'::regconfig, "handover_portuguese"("word"))) AS "portuguese",
                    tsvector_to_array(to_tsvector('english'::regconfig, "word")) AS "english"
                FROM regexp_split_to_table("handover_terms"(left("value", 1000)), ' ')
                    WITH ORDINALITY AS "words"("word", "place")
            ) AS "stemmed"
            WHERE "written" <> '{}'
        ) AS "asked"
        WHERE "last" OR NOT "stop"
    ), ''::tsquery);

-- DropIndex
DROP INDEX "audit_entries_entity_entity_id_id_idx";

-- AlterTable
ALTER TABLE "audit_entries" ADD COLUMN     "client" TEXT,
ALTER COLUMN "at" SET DEFAULT clock_timestamp();

-- CreateTable
CREATE TABLE "files" (
    "id" TEXT NOT NULL,
    "filename" TEXT NOT NULL,
    "original_name" TEXT NOT NULL,
    "mime_type" TEXT NOT NULL,
    "size_bytes" INTEGER NOT NULL,
    "checksum" TEXT NOT NULL,
    "object_key" TEXT NOT NULL,
    "description" TEXT,
    "idea_id" TEXT,
    "system_id" TEXT,
    "uploaded_by" TEXT NOT NULL,
    "is_public" BOOLEAN NOT NULL DEFAULT false,
    "download_count" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3),
    "row_version" INTEGER NOT NULL DEFAULT 1,

    CONSTRAINT "files_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "ideas" (
    "id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'new',
    "category" TEXT NOT NULL,
    "priority" TEXT NOT NULL,
    "tags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "system_id" TEXT,
    "assigned_to" TEXT,
    "created_by" TEXT,
    "estimated_hours" DOUBLE PRECISION,
    "actual_hours" DOUBLE PRECISION,
    "due_date" TIMESTAMPTZ(3),
    "completed_at" TIMESTAMPTZ(3),
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3),
    "row_version" INTEGER NOT NULL DEFAULT 1,

    CONSTRAINT "ideas_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "search_documents" (
    "id" TEXT NOT NULL,
    "source" TEXT NOT NULL,
    "type" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "body" TEXT NOT NULL,
    "link" TEXT NOT NULL,
    "content_hash" TEXT NOT NULL,
    "indexed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "words" tsvector GENERATED ALWAYS AS ("handover_words"("title", "body")) STORED,

    CONSTRAINT "search_documents_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "systems" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "status" TEXT NOT NULL,
    "port" INTEGER,
    "category" TEXT,
    "tags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "type" TEXT,
    "url" TEXT,
    "owner" TEXT,
    "version" TEXT,
    "metadata" JSONB,
    "icon" TEXT,
    "color" TEXT,
    "host" TEXT,
    "last_checked" TIMESTAMPTZ(3),
    "response_time_ms" INTEGER,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3),
    "row_version" INTEGER NOT NULL DEFAULT 1,

    CONSTRAINT "systems_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "files_object_key_key" ON "files"("object_key");

-- CreateIndex
CREATE INDEX "files_created_at_id_idx" ON "files"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "files_size_bytes_id_idx" ON "files"("size_bytes" DESC, "id");

-- CreateIndex
CREATE INDEX "files_filename_id_idx" ON "files"("filename", "id");

-- CreateIndex
CREATE INDEX "files_mime_type_created_at_id_idx" ON "files"("mime_type", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "files_uploaded_by_created_at_id_idx" ON "files"("uploaded_by", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "files_is_public_created_at_id_idx" ON "files"("is_public", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "files_idea_id_created_at_id_idx" ON "files"("idea_id", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "files_system_id_created_at_id_idx" ON "files"("system_id", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_created_at_id_idx" ON "ideas"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_status_created_at_id_idx" ON "ideas"("status", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_category_created_at_id_idx" ON "ideas"("category", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_priority_created_at_id_idx" ON "ideas"("priority", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_system_id_created_at_id_idx" ON "ideas"("system_id", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "ideas_assigned_to_created_at_id_idx" ON "ideas"("assigned_to", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "search_documents_words_idx" ON "search_documents" USING GIN ("words");

-- CreateIndex
CREATE INDEX "search_documents_source_id_idx" ON "search_documents"("source", "id");

-- CreateIndex
CREATE UNIQUE INDEX "systems_name_key" ON "systems"("name");

-- CreateIndex
CREATE INDEX "systems_created_at_id_idx" ON "systems"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "systems_status_created_at_id_idx" ON "systems"("status", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "systems_type_created_at_id_idx" ON "systems"("type", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "systems_category_created_at_id_idx" ON "systems"("category", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "systems_owner_created_at_id_idx" ON "systems"("owner", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "systems_tags_idx" ON "systems" USING GIN ("tags");

-- CreateIndex
CREATE INDEX "audit_entries_entity_at_id_idx" ON "audit_entries"("entity", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entries_entity_action_at_id_idx" ON "audit_entries"("entity", "action", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entries_entity_id_at_id_idx" ON "audit_entries"("entity_id", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entries_action_at_id_idx" ON "audit_entries"("action", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entries_actor_at_id_idx" ON "audit_entries"("actor", "at", "id");

-- CreateIndex
CREATE INDEX "audit_entries_request_id_idx" ON "audit_entries"("request_id");

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_idea_id_fkey" FOREIGN KEY ("idea_id") REFERENCES "ideas"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "files" ADD CONSTRAINT "files_system_id_fkey" FOREIGN KEY ("system_id") REFERENCES "systems"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "ideas" ADD CONSTRAINT "ideas_system_id_fkey" FOREIGN KEY ("system_id") REFERENCES "systems"("id") ON DELETE SET NULL ON UPDATE CASCADE;

-- What the schema language cannot say: enumerated texts, lengths and counts. These hold whoever writes.
ALTER TABLE "systems"
    ADD CONSTRAINT "systems_id_check" CHECK (char_length("id") BETWEEN 1 AND 128),
    ADD CONSTRAINT "systems_name_check" CHECK (char_length("name") <= 200 AND "name" ~ '[^[:space:]]'),
    ADD CONSTRAINT "systems_description_check" CHECK (char_length("description") <= 1048576 AND "description" ~ '[^[:space:]]'),
    ADD CONSTRAINT "systems_status_check" CHECK ("status" IN ('online', 'degraded', 'offline', 'planned')),
    ADD CONSTRAINT "systems_type_check" CHECK ("type" IN ('api', 'webapp', 'docs', 'tool')),
    ADD CONSTRAINT "systems_port_check" CHECK ("port" BETWEEN 1 AND 65535),
    ADD CONSTRAINT "systems_url_check" CHECK (char_length("url") BETWEEN 1 AND 2048),
    ADD CONSTRAINT "systems_category_check" CHECK (char_length("category") BETWEEN 1 AND 200),
    ADD CONSTRAINT "systems_owner_check" CHECK (char_length("owner") BETWEEN 1 AND 200),
    ADD CONSTRAINT "systems_tags_check" CHECK ("tags" IS NOT NULL AND array_position("tags", NULL) IS NULL),
    ADD CONSTRAINT "systems_response_time_check" CHECK ("response_time_ms" >= 0),
    ADD CONSTRAINT "systems_row_version_check" CHECK ("row_version" >= 1);

ALTER TABLE "ideas"
    ADD CONSTRAINT "ideas_id_check" CHECK (char_length("id") BETWEEN 1 AND 128),
    ADD CONSTRAINT "ideas_title_check" CHECK (char_length("title") <= 200 AND "title" ~ '[^[:space:]]'),
    ADD CONSTRAINT "ideas_description_check" CHECK (char_length("description") <= 1048576 AND "description" ~ '[^[:space:]]'),
    ADD CONSTRAINT "ideas_status_check" CHECK ("status" IN ('new', 'triage', 'in_progress', 'review', 'completed', 'rejected')),
    ADD CONSTRAINT "ideas_category_check" CHECK ("category" IN ('api', 'docs', 'dashboard', 'automation', 'infrastructure')),
    ADD CONSTRAINT "ideas_priority_check" CHECK ("priority" IN ('low', 'medium', 'high', 'critical')),
    ADD CONSTRAINT "ideas_tags_check" CHECK ("tags" IS NOT NULL AND array_position("tags", NULL) IS NULL),
    ADD CONSTRAINT "ideas_assigned_to_check" CHECK (char_length("assigned_to") BETWEEN 1 AND 200),
    ADD CONSTRAINT "ideas_created_by_check" CHECK (char_length("created_by") BETWEEN 1 AND 200),
    ADD CONSTRAINT "ideas_estimated_hours_check" CHECK ("estimated_hours" BETWEEN 1 AND 1000),
    ADD CONSTRAINT "ideas_actual_hours_check" CHECK ("actual_hours" BETWEEN 0 AND 10000),
    ADD CONSTRAINT "ideas_completed_check" CHECK (("status" = 'completed') = ("completed_at" IS NOT NULL)),
    ADD CONSTRAINT "ideas_row_version_check" CHECK ("row_version" >= 1);

ALTER TABLE "files"
    ADD CONSTRAINT "files_id_check" CHECK (char_length("id") BETWEEN 1 AND 128),
    ADD CONSTRAINT "files_filename_check" CHECK (char_length("filename") BETWEEN 1 AND 255 AND "filename" !~ '[/\\[:cntrl:]]'),
    ADD CONSTRAINT "files_original_name_check" CHECK (char_length("original_name") BETWEEN 1 AND 1024),
    ADD CONSTRAINT "files_mime_type_check" CHECK ("mime_type" ~ '^[a-z0-9.+-]+/[a-z0-9.+-]+$'),
    ADD CONSTRAINT "files_size_check" CHECK ("size_bytes" >= 0),
    ADD CONSTRAINT "files_checksum_check" CHECK ("checksum" ~ '^[0-9a-f]{64}$'),
    ADD CONSTRAINT "files_description_check" CHECK (char_length("description") <= 500),
    ADD CONSTRAINT "files_uploaded_by_check" CHECK (char_length("uploaded_by") BETWEEN 1 AND 128),
    ADD CONSTRAINT "files_download_count_check" CHECK ("download_count" >= 0),
    ADD CONSTRAINT "files_row_version_check" CHECK ("row_version" >= 1);

ALTER TABLE "search_documents"
    ADD CONSTRAINT "search_documents_source_check" CHECK ("source" IN ('openapi', 'asyncapi', 'markdown', 'upload')),
    ADD CONSTRAINT "search_documents_type_check" CHECK ("type" IN ('endpoint', 'guide', 'adr', 'template', 'diagram'));

-- Suggestions take typing errors with trigrams, where the server has them and lets us.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'pg_trgm is not installed: suggestions do without it';
END;
$$;

-- Searching names and descriptions, and filtering ideas by text.
CREATE INDEX "systems_words_idx" ON "systems" USING GIN ("handover_words"("name", "description"));
CREATE INDEX "ideas_words_idx" ON "ideas" USING GIN ("handover_words"("title", "description"));
CREATE INDEX "files_words_idx" ON "files" USING GIN ("handover_words"("original_name", "description"));

-- The orders of the list of systems that are not columns, and the systems that were never checked.
CREATE INDEX "systems_name_order_idx" ON "systems"("handover_fold"("name"), "id");
CREATE INDEX "systems_changed_order_idx" ON "systems"((coalesce("updated_at", "created_at")), "id");
CREATE INDEX "systems_unchecked_idx" ON "systems"("created_at" DESC, "id") WHERE "last_checked" IS NULL;

-- The orders of the list of ideas that are not columns: each index serves both directions.
CREATE INDEX "ideas_title_order_idx" ON "ideas"("handover_fold"("title"), "id");
CREATE INDEX "ideas_changed_order_idx" ON "ideas"((coalesce("updated_at", "created_at")), "id");
CREATE INDEX "ideas_priority_order_idx" ON "ideas"((array_position(ARRAY['low', 'medium', 'high', 'critical'], "priority")), "id");
CREATE INDEX "ideas_status_order_idx" ON "ideas"((array_position(ARRAY['new', 'triage', 'in_progress', 'review', 'completed', 'rejected'], "status")), "id");
CREATE INDEX "ideas_due_order_idx" ON "ideas"((coalesce("due_date", 'infinity'::timestamptz)), "id");
CREATE INDEX "ideas_due_last_order_idx" ON "ideas"((coalesce("due_date", '-infinity'::timestamptz)), "id");

-- The audit trail only grows. Retention is a job of its own, which says so to the session.
ALTER TABLE "audit_entries"
    DROP CONSTRAINT "audit_entries_action_check",
    ADD CONSTRAINT "audit_entries_action_check" CHECK ("action" IN ('created', 'updated', 'deleted', 'imported', 'checked'));

CREATE FUNCTION "handover_keep_audit_entries"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('handover.audit_retention', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit trail is append-only' USING ERRCODE = 'integrity_constraint_violation';
END;
$$;
CREATE TRIGGER "audit_entries_append_only" BEFORE UPDATE OR DELETE ON "audit_entries"
    FOR EACH ROW EXECUTE FUNCTION "handover_keep_audit_entries"();
