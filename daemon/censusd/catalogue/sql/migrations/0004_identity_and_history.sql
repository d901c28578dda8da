-- When content was last read, and what silent corruption was found.

-- A constant default: the rows that are there are not rewritten.
ALTER TABLE files ADD COLUMN read_at timestamptz NOT NULL DEFAULT '-infinity';
COMMENT ON COLUMN files.read_at IS 'when its content was last read to its end and hashed; -infinity: before that was recorded';
-- What is read again, the longest unread first.
CREATE INDEX files_read ON files (repository_id, read_at)
    WHERE state = 0 AND scan_phase = 1 AND content_hash IS NOT NULL;
-- A file with several names, some of which may be where nobody watches.
CREATE INDEX files_linked ON files (repository_id, inode) WHERE links > 1 AND state = 0;

ALTER TABLE sync_operations ADD COLUMN files_repaired bigint NOT NULL DEFAULT 0;
ALTER TABLE sync_operations ADD COLUMN files_corrupt bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN sync_operations.files_repaired IS
    'files whose rows were wrong although nothing on disk had changed since they were written';
COMMENT ON COLUMN sync_operations.files_corrupt IS 'files whose content is another than the recorded, and whose stat is not';

CREATE TABLE file_corruption (
    repository_id uuid NOT NULL,
    file_id       bigint NOT NULL,
    found_at      timestamptz NOT NULL DEFAULT now(),
    ctime_ns      bigint NOT NULL,
    found_hash    bytea NOT NULL,
    PRIMARY KEY (repository_id, file_id),
    FOREIGN KEY (repository_id, file_id) REFERENCES files (repository_id, id) ON DELETE CASCADE
);
COMMENT ON TABLE file_corruption IS
    'files whose content is not the recorded one, although nothing that a change leaves behind differs';
COMMENT ON COLUMN file_corruption.ctime_ns IS
    'of the file when it was found so: a later one with the same content found is a change of its inode alone';
COMMENT ON COLUMN file_corruption.found_hash IS 'of what is there; files.content_hash stays that of what should be';

CREATE VIEW corrupt_files AS
SELECT k.repository_id, r.name AS repository_name, f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       f.size AS file_size, to_timestamp(f.mtime_ns / 1e9) AS mod_time,
       encode(f.content_hash, 'hex') AS content_hash, encode(k.found_hash, 'hex') AS found_hash, k.found_at
  FROM file_corruption k
  JOIN files f ON f.repository_id = k.repository_id AND f.id = k.file_id
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 -- Without a hash it has been changed since: what is there now is read next.
 WHERE f.state = 0 AND f.content_hash IS NOT NULL;
COMMENT ON VIEW corrupt_files IS
    'files whose content is not the recorded one although their stat is: damaged, until restored, changed or accepted';

CREATE OR REPLACE VIEW file_records AS
SELECT f.repository_id,
       r.name AS repository_name,
       f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       f.size AS file_size,
       to_timestamp(f.mtime_ns / 1e9) AS mod_time,
       encode(f.content_hash, 'hex') AS content_hash,
       CASE WHEN d.unseen OR d.problem IS NOT NULL THEN d.listed_at
            ELSE greatest(d.listed_at, r.last_pass_at) END AS last_scanned,
       CASE WHEN d.unseen OR d.problem IS NOT NULL THEN d.scan_generation
            ELSE greatest(d.scan_generation, r.scan_generation) END AS scan_generation,
       f.scan_phase,
       f.mtime_ns,
       f.ctime_ns,
       f.inode,
       f.links,
       f.directory_id,
       f.change_number,
       f.created_at,
       f.updated_at,
       CASE WHEN f.content_hash IS NOT NULL THEN nullif(f.read_at, '-infinity') END AS content_read_at
  FROM files f
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE f.state = 0;

CREATE OR REPLACE VIEW quarantined_files AS
SELECT c.repository_id, r.name AS repository_name, f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       f.size AS file_size, c.attempts, c.last_error, c.quarantined_at
  FROM deep_scan_claims c
  JOIN files f ON f.repository_id = c.repository_id AND f.id = c.file_id
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 -- Whether its content was to be read for the first time or again.
 WHERE c.quarantined_at IS NOT NULL AND c.change_number = f.change_number AND f.state = 0;
