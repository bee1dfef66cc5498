-- A change never moves "updated_at" back: a server takes the moment before it has the row, so of two that change it at
-- once the later one may bring the earlier moment. No table is rewritten or read.
-- A moment that has not come yet, as rows of an old service may have, gives way; bulk work, which leaves an entry of its
-- own, writes what its source says.
CREATE FUNCTION "handover_updated_in_order"() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = ANY (string_to_array(current_setting('handover.unaudited', true), ',')) THEN
        RETURN NEW;
    END IF;
    NEW."updated_at" := OLD."updated_at";
    RETURN NEW;
END $$;

DO $$
DECLARE "name" TEXT;
BEGIN
    FOREACH "name" IN ARRAY '{items,ideas,systems,files}'::TEXT[] LOOP
        EXECUTE format('CREATE TRIGGER "updated_in_order" BEFORE UPDATE OF "updated_at" ON %I FOR EACH ROW
            WHEN (NEW."updated_at" < OLD."updated_at" AND OLD."updated_at" <= clock_timestamp())
            EXECUTE FUNCTION "handover_updated_in_order"()', "name");
    END LOOP;
END $$;
