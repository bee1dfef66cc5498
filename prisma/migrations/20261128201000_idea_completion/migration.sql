-- The moment of completion follows the status: a move into 'completed' sets it, one out of it clears it, whoever makes the
-- move. Rows that have it right are left alone, those of imports among them; a new row has to have it right. No table is rewritten or read.
CREATE FUNCTION "handover_idea_completion"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW."completed_at" := CASE WHEN NEW."status" = 'completed' THEN coalesce(NEW."updated_at", clock_timestamp()) END;
    RETURN NEW;
END $$;

-- Triggers run in the order of their names: after "updated_in_order".
CREATE TRIGGER "with_completion" BEFORE UPDATE OF "status" ON "ideas" FOR EACH ROW
    WHEN ((NEW."status" = 'completed') <> (NEW."completed_at" IS NOT NULL))
    EXECUTE FUNCTION "handover_idea_completion"();
