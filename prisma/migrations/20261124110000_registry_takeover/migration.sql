-- What an import leaves on a row: who wrote it last, the version it left, and what the columns cannot hold.

-- AlterTable
ALTER TABLE "files" ADD COLUMN     "import_job_id" UUID,
ADD COLUMN     "import_version" INTEGER,
ADD COLUMN     "legacy" JSON;

-- AlterTable
ALTER TABLE "ideas" ADD COLUMN     "import_job_id" UUID,
ADD COLUMN     "import_version" INTEGER,
ADD COLUMN     "legacy" JSON;

-- AlterTable
ALTER TABLE "systems" ADD COLUMN     "import_job_id" UUID,
ADD COLUMN     "import_version" INTEGER,
ADD COLUMN     "legacy" JSON;

-- CreateIndex
CREATE INDEX "files_import_job_id_idx" ON "files"("import_job_id");

-- CreateIndex
CREATE INDEX "ideas_import_job_id_idx" ON "ideas"("import_job_id");

-- CreateIndex
CREATE INDEX "systems_import_job_id_idx" ON "systems"("import_job_id");
