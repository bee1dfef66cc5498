-- What an import has to remember so that it can be taken back, continued and written out again.

-- CreateTable
CREATE TABLE "import_runs" (
    "job_id" UUID NOT NULL,
    "kind" TEXT NOT NULL,
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "finished_at" TIMESTAMPTZ(3),

    CONSTRAINT "import_runs_pkey" PRIMARY KEY ("job_id")
);

-- CreateTable
CREATE TABLE "import_pages" (
    "job_id" UUID NOT NULL,
    "part" TEXT NOT NULL,
    "number" INTEGER NOT NULL,
    "content" TEXT NOT NULL,
    "written" JSON,

    CONSTRAINT "import_pages_pkey" PRIMARY KEY ("job_id","part","number")
);

-- CreateTable
CREATE TABLE "import_before_images" (
    "job_id" UUID NOT NULL,
    "entity" TEXT NOT NULL,
    "row_id" TEXT NOT NULL,
    "row" JSON NOT NULL,

    CONSTRAINT "import_before_images_pkey" PRIMARY KEY ("job_id","entity","row_id")
);

-- CreateIndex
CREATE INDEX "import_runs_kind_finished_at_idx" ON "import_runs"("kind", "finished_at");

-- Digests and ids hardly compress: trying would cost more than it saves.
ALTER TABLE "import_pages" ALTER COLUMN "content" SET STORAGE EXTERNAL;
