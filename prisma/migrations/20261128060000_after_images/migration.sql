-- What an import left in a row, kept when somebody first changes the row: put back, it can still be taken back.

-- CreateTable
CREATE TABLE "import_after_images" (
    "job_id" UUID NOT NULL,
    "entity" TEXT NOT NULL,
    "row_id" TEXT NOT NULL,
    "row" JSON NOT NULL,

    CONSTRAINT "import_after_images_pkey" PRIMARY KEY ("job_id","entity","row_id")
);

CREATE FUNCTION keep_import_after_image() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO import_after_images (job_id, entity, row_id, row)
    VALUES (OLD.import_job_id, TG_ARGV[0], OLD.id, row_to_json(OLD)) ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;

-- Costs a comparison, but for the first change of an imported row.
CREATE TRIGGER items_import_after_image AFTER UPDATE ON items FOR EACH ROW
WHEN (OLD.version = OLD.import_version AND NEW.version <> NEW.import_version
    AND NEW.import_job_id = OLD.import_job_id)
EXECUTE FUNCTION keep_import_after_image('item');

CREATE TRIGGER systems_import_after_image AFTER UPDATE ON systems FOR EACH ROW
WHEN (OLD.row_version = OLD.import_version AND NEW.row_version <> NEW.import_version
    AND NEW.import_job_id = OLD.import_job_id)
EXECUTE FUNCTION keep_import_after_image('system');

CREATE TRIGGER ideas_import_after_image AFTER UPDATE ON ideas FOR EACH ROW
WHEN (OLD.row_version = OLD.import_version AND NEW.row_version <> NEW.import_version
    AND NEW.import_job_id = OLD.import_job_id)
EXECUTE FUNCTION keep_import_after_image('idea');

CREATE TRIGGER files_import_after_image AFTER UPDATE ON files FOR EACH ROW
WHEN (OLD.row_version = OLD.import_version AND NEW.row_version <> NEW.import_version
    AND NEW.import_job_id = OLD.import_job_id)
EXECUTE FUNCTION keep_import_after_image('file');
