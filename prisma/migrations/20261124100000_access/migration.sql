-- AlterTable
ALTER TABLE "search_documents" ADD COLUMN     "owner" TEXT;

-- CreateTable
CREATE TABLE "api_keys" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "scope" TEXT NOT NULL,
    "secret_hash" TEXT NOT NULL,
    "created_by" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "expires_at" TIMESTAMPTZ(3),
    "revoked_at" TIMESTAMPTZ(3),
    "last_used_at" TIMESTAMPTZ(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "idempotency_keys" (
    "id" TEXT NOT NULL,
    "attempt" UUID NOT NULL,
    "lease_expires_at" TIMESTAMPTZ(3) NOT NULL,
    "committed" BOOLEAN NOT NULL DEFAULT false,
    "body_hash" TEXT,
    "body_bytes" BIGINT,
    "status" INTEGER,
    "headers" JSONB,
    "answer" BYTEA,
    "expires_at" TIMESTAMPTZ(3) NOT NULL,

    CONSTRAINT "idempotency_keys_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "api_keys_created_at_id_idx" ON "api_keys"("created_at", "id");

-- CreateIndex
CREATE INDEX "idempotency_keys_expires_at_idx" ON "idempotency_keys"("expires_at");

-- What the schema language cannot say. These hold whoever writes.
ALTER TABLE "api_keys"
    ADD CONSTRAINT "api_keys_id_check" CHECK ("id" ~ '^[0-9a-f]{12}$'),
    ADD CONSTRAINT "api_keys_name_check" CHECK (char_length("name") BETWEEN 1 AND 40),
    ADD CONSTRAINT "api_keys_scope_check" CHECK ("scope" IN ('read', 'write', 'admin')),
    ADD CONSTRAINT "api_keys_secret_hash_check" CHECK ("secret_hash" ~ '^[0-9a-f]{64}$');

ALTER TABLE "idempotency_keys"
    ADD CONSTRAINT "idempotency_keys_answer_check"
        CHECK (("status" IS NULL) = ("answer" IS NULL) AND ("status" IS NULL OR "body_hash" IS NOT NULL));

-- Texts of files that are not public were indexed for everybody.
UPDATE "search_documents" SET "owner" = "files"."uploaded_by"
FROM "files" WHERE "search_documents"."id" = 'upload:' || "files"."id" AND NOT "files"."is_public";
