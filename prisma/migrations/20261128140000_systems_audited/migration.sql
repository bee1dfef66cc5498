-- Entries about systems and versions of them are written by PostgreSQL. No table is rewritten or read.
SELECT "handover_audit"('systems', 'system', '{id,name,description,status,port,category,tags,type,url,owner,version,metadata,icon,color,host,last_checked,response_time_ms,created_at,updated_at}');

-- An imported system may have no description: its entries say, as the API does, that it is empty.
DO $$ BEGIN
    EXECUTE regexp_replace(pg_get_functiondef('"handover_audit_system"'::REGPROC),
        'to_jsonb\("(earlier|later)"\.description\)', 'to_jsonb(coalesce("\1".description, ''''))', 'g');
END $$;
