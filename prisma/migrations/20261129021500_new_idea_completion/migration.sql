-- A new idea that is completed from the start has its moment of completion, also where whoever adds it knows none, as
-- a spreadsheet: its update, or its creation. Rows that have it right are left alone. No table is rewritten or read.
CREATE OR REPLACE FUNCTION "handover_idea_completion"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW."completed_at" := CASE WHEN NEW."status" = 'completed' THEN
        coalesce(NEW."updated_at", CASE TG_OP WHEN 'INSERT' THEN NEW."created_at" END, clock_timestamp()) END;
    RETURN NEW;
END $$;

CREATE TRIGGER "with_completion_of_new" BEFORE INSERT ON "ideas" FOR EACH ROW
    WHEN (NEW."status" = 'completed' AND NEW."completed_at" IS NULL)
    EXECUTE FUNCTION "handover_idea_completion"();
