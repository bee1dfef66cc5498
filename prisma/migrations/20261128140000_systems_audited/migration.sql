-- Entries about systems and versions of them are written by PostgreSQL. No table is rewritten or read.
SELECT "handover_audit"('systems', 'system', '{id,name,description,status,port,category,tags,type,url,owner,version,metadata,icon,color,host,last_checked,response_time_ms,created_at,updated_at}',
    "as_empty" => '{description}');
