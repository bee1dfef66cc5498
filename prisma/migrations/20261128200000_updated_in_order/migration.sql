-- A change never moves "updated_at" back: a server takes the moment before it has the row, so of two that change it at
-- once the later one may bring the earlier moment. No table is rewritten or read.
-- Other moments are written as they are given: those of bulk work and of whoever sets one of long ago. One that has not
-- come yet, as rows of an old service may have, gives way.
CREATE FUNCTION "handover_updated_in_order"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    NEW."updated_at" := OLD."updated_at";
    RETURN NEW;
END $$;

DO $$
DECLARE "name" TEXT;
BEGIN
    FOREACH "name" IN ARRAY '{items,ideas,systems,files}'::TEXT[] LOOP
        EXECUTE format('CREATE TRIGGER "updated_in_order" BEFORE UPDATE OF "updated_at" ON %I FOR EACH ROW
            WHEN (NEW."updated_at" < OLD."updated_at" AND OLD."updated_at" <= clock_timestamp()
                AND NEW."updated_at" > clock_timestamp() - INTERVAL ''1 minute'')
            EXECUTE FUNCTION "handover_updated_in_order"()', "name");
    END LOOP;
END $$;
