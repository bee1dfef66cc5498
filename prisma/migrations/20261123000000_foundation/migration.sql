-- CreateTable
CREATE TABLE "audit_entries" (
    "id" BIGSERIAL NOT NULL,
    "entity" TEXT NOT NULL,
    "entity_id" TEXT NOT NULL,
    "action" TEXT NOT NULL,
    "actor" TEXT NOT NULL,
    "request_id" TEXT,
    "changes" JSONB NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "audit_entries_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "import_rejects" (
    "job_id" UUID NOT NULL,
    "position" INTEGER NOT NULL,
    "path" TEXT NOT NULL,
    "reason" TEXT NOT NULL,
    "errors" JSONB NOT NULL,
    "record" TEXT NOT NULL,

    CONSTRAINT "import_rejects_pkey" PRIMARY KEY ("job_id","position")
);

-- CreateTable
CREATE TABLE "items" (
    "id" TEXT NOT NULL,
    "title" TEXT NOT NULL,
    "description" TEXT NOT NULL,
    "category" TEXT NOT NULL,
    "priority" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'new',
    "tags" TEXT[] DEFAULT ARRAY[]::TEXT[],
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updated_at" TIMESTAMPTZ(3),
    "version" INTEGER NOT NULL DEFAULT 1,
    "import_job_id" UUID,
    "import_version" INTEGER,
    "legacy" JSON,

    CONSTRAINT "items_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "jobs" (
    "id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "state" TEXT NOT NULL DEFAULT 'queued',
    "phase" TEXT,
    "arguments" JSONB NOT NULL,
    "exclusive_key" TEXT,
    "place" UUID,
    "done" INTEGER NOT NULL DEFAULT 0,
    "total" INTEGER,
    "rejected" INTEGER NOT NULL DEFAULT 0,
    "checkpoint" JSONB,
    "result" JSONB,
    "error" TEXT,
    "actor" TEXT NOT NULL,
    "request_id" TEXT,
    "cancel_requested" BOOLEAN NOT NULL DEFAULT false,
    "attempts" INTEGER NOT NULL DEFAULT 0,
    "fencing_token" INTEGER NOT NULL DEFAULT 0,
    "lease_owner" TEXT,
    "lease_expires_at" TIMESTAMPTZ(3),
    "last_event" INTEGER NOT NULL DEFAULT 0,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "started_at" TIMESTAMPTZ(3),
    "finished_at" TIMESTAMPTZ(3),
    "updated_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "jobs_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "job_events" (
    "job_id" UUID NOT NULL,
    "sequence" INTEGER NOT NULL,
    "kind" TEXT NOT NULL,
    "data" JSONB NOT NULL,
    "at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "job_events_pkey" PRIMARY KEY ("job_id","sequence")
);

-- CreateIndex
CREATE INDEX "audit_entries_entity_entity_id_id_idx" ON "audit_entries"("entity", "entity_id", "id");

-- CreateIndex
CREATE INDEX "audit_entries_at_id_idx" ON "audit_entries"("at", "id");

-- CreateIndex
CREATE INDEX "items_created_at_id_idx" ON "items"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "items_status_created_at_id_idx" ON "items"("status", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "items_category_created_at_id_idx" ON "items"("category", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "items_priority_created_at_id_idx" ON "items"("priority", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "items_tags_idx" ON "items" USING GIN ("tags");

-- CreateIndex
CREATE INDEX "items_import_job_id_idx" ON "items"("import_job_id");

-- CreateIndex
CREATE UNIQUE INDEX "jobs_exclusive_key_key" ON "jobs"("exclusive_key");

-- CreateIndex
CREATE INDEX "jobs_created_at_id_idx" ON "jobs"("created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "jobs_kind_created_at_id_idx" ON "jobs"("kind", "created_at" DESC, "id");

-- CreateIndex
CREATE INDEX "jobs_state_lease_expires_at_idx" ON "jobs"("state", "lease_expires_at");

-- AddForeignKey
ALTER TABLE "job_events" ADD CONSTRAINT "job_events_job_id_fkey" FOREIGN KEY ("job_id") REFERENCES "jobs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- What the schema language cannot say: enumerated texts, lengths and counts. These hold whoever writes.
ALTER TABLE "items"
    ADD CONSTRAINT "items_id_check" CHECK (char_length("id") BETWEEN 1 AND 512),
    ADD CONSTRAINT "items_title_check" CHECK (char_length("title") <= 200 AND "title" ~ '[^[:space:]]'),
    ADD CONSTRAINT "items_description_check" CHECK (char_length("description") <= 1048576 AND "description" ~ '[^[:space:]]'),
    ADD CONSTRAINT "items_category_check" CHECK ("category" IN ('documentacao', 'coleta-dados', 'banco-dados', 'analise-dados', 'gestao-riscos', 'dashboard')),
    ADD CONSTRAINT "items_priority_check" CHECK ("priority" IN ('low', 'medium', 'high', 'critical')),
    ADD CONSTRAINT "items_status_check" CHECK ("status" IN ('new', 'review', 'in-progress', 'completed', 'rejected')),
    ADD CONSTRAINT "items_tags_check" CHECK ("tags" IS NOT NULL AND array_position("tags", NULL) IS NULL),
    ADD CONSTRAINT "items_version_check" CHECK ("version" >= 1);

ALTER TABLE "audit_entries"
    ADD CONSTRAINT "audit_entries_action_check" CHECK ("action" IN ('created', 'updated', 'deleted', 'imported')),
    ADD CONSTRAINT "audit_entries_actor_check" CHECK (char_length("actor") BETWEEN 1 AND 128),
    ADD CONSTRAINT "audit_entries_changes_check" CHECK (jsonb_typeof("changes") = 'object');

ALTER TABLE "jobs"
    ADD CONSTRAINT "jobs_state_check" CHECK ("state" IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    ADD CONSTRAINT "jobs_ended_check" CHECK (("state" IN ('succeeded', 'failed', 'cancelled')) = ("finished_at" IS NOT NULL)),
    ADD CONSTRAINT "jobs_exclusive_check" CHECK ("exclusive_key" IS NULL OR "state" IN ('queued', 'running')),
    ADD CONSTRAINT "jobs_counts_check" CHECK ("done" >= 0 AND "total" >= 0 AND "rejected" >= 0);

-- Full text of the idea bank. The 'simple' configuration keeps every word, in whatever language.
-- Of a very long text the first 100,000 characters are searched: PostgreSQL refuses a row whose words exceed 1 MB.
-- The larger pending list makes bulk loads a tenth faster.
CREATE INDEX "items_text_idx" ON "items"
    USING GIN (to_tsvector('simple'::regconfig, left("title" || ' ' || "description", 100000)))
    WITH (gin_pending_list_limit = 16384);
