-- Entries about files and versions of them are written by PostgreSQL; a download that is counted is no change. No table
-- is rewritten or read.
SELECT "handover_audit"('files', 'file', '{id,filename,original_name,mime_type,size_bytes,checksum,description,idea_id,system_id,uploaded_by,is_public,created_at,updated_at}',
    "renamed" => '{"mime_type": "mimetype", "size_bytes": "size"}');
