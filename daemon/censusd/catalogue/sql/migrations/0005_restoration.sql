-- What should be in a corrupt file, so that it can be told whether a backup that is put back brings it back.

ALTER TABLE file_corruption ADD COLUMN recorded_hash bytea;
COMMENT ON COLUMN file_corruption.recorded_hash IS
    'of what should be there; files.content_hash is forgotten when the file is written to';
UPDATE file_corruption k SET recorded_hash = f.content_hash FROM files f
 WHERE f.repository_id = k.repository_id AND f.id = k.file_id;
