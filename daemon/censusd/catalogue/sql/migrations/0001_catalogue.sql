-- The catalogue. Base tables are lean, and every key begins with repository_id so that they can be partitioned or
-- distributed by it; there are no foreign keys from the large tables, since each repository has exactly one writer.
-- The views at the end are the public contract.

CREATE TABLE repositories (
    id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name                   text COLLATE "C" NOT NULL UNIQUE,
    root                   text COLLATE "C" NOT NULL,
    state                  text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'offline', 'held', 'retired')),
    state_reason           text,
    state_since            timestamptz NOT NULL DEFAULT now(),
    identity               jsonb,
    -- Begins every write transaction: it fences (lease_token), orders and numbers the batch.
    change_number          bigint NOT NULL DEFAULT 0,
    lease_owner            text,
    lease_token            bigint NOT NULL DEFAULT 0,
    lease_expires_at       timestamptz,
    -- Something was lost (an overflow, an outage): a complete pass that began later clears it.
    dirty_since            timestamptz,
    dirty_reason           text,
    scan_generation        bigint NOT NULL DEFAULT 0,
    last_pass_at           timestamptz,
    reconcile_interval     double precision,
    next_reconciliation_at timestamptz,
    created_at             timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN repositories.scan_generation IS 'how many complete passes there have been';
COMMENT ON COLUMN repositories.last_pass_at IS 'when the last complete pass began: every change before it is on record';
COMMENT ON COLUMN repositories.reconcile_interval IS 'seconds between passes, as adapted to the drift they found';

CREATE SEQUENCE directory_ids AS bigint;

CREATE TABLE directories (
    repository_id   uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    id              bigint NOT NULL DEFAULT nextval('directory_ids'),
    parent_id       bigint NOT NULL,
    device          bigint NOT NULL DEFAULT 0,
    inode           bigint NOT NULL,
    birth_ns        bigint NOT NULL DEFAULT 0,
    change_number   bigint NOT NULL,
    scan_generation bigint NOT NULL DEFAULT 0,
    listed_at       timestamptz,
    missing_since   timestamptz,
    problem_since   timestamptz,
    state           smallint NOT NULL DEFAULT 0,
    unseen          boolean NOT NULL DEFAULT false,
    name            text COLLATE "C" NOT NULL,
    path            text COLLATE "C" NOT NULL,
    digest          bytea,
    problem_kind    text,
    problem         text,
    PRIMARY KEY (repository_id, id)
) WITH (fillfactor = 85);  -- a new digest is then written beside the old one, and no index is touched
COMMENT ON COLUMN directories.parent_id IS '0 for the root';
COMMENT ON COLUMN directories.state IS '0 present, 1 missing, 2 ignored';
COMMENT ON COLUMN directories.digest IS 'of its last complete listing; null where that is out of date';
COMMENT ON COLUMN directories.unseen IS 'a directory above it could not be read, so nothing was learnt of it since listed_at';
CREATE UNIQUE INDEX directories_place ON directories (repository_id, parent_id, name);
CREATE INDEX directories_inode ON directories (repository_id, inode);
CREATE INDEX directories_changes ON directories (repository_id, change_number);
CREATE INDEX directories_problems ON directories (repository_id, path) WHERE problem IS NOT NULL;
-- A path can be longer than a B-tree's key may be; a hash index takes any length.
CREATE INDEX directories_path ON directories USING hash (path);

CREATE SEQUENCE file_ids AS bigint CACHE 100;

CREATE TABLE files (
    repository_id uuid NOT NULL,
    id            bigint NOT NULL DEFAULT nextval('file_ids'),
    directory_id  bigint NOT NULL,
    size          bigint NOT NULL,
    mtime_ns      bigint NOT NULL,
    ctime_ns      bigint NOT NULL,
    inode         bigint NOT NULL,
    change_number bigint NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    missing_since timestamptz,
    links         integer NOT NULL,
    state         smallint NOT NULL DEFAULT 0,
    scan_phase    smallint NOT NULL DEFAULT 0,
    name          text COLLATE "C" NOT NULL,
    content_hash  bytea,
    PRIMARY KEY (repository_id, id)
);
COMMENT ON COLUMN files.state IS '0 present, 1 missing, 2 ignored';
COMMENT ON COLUMN files.scan_phase IS '0 its content has to be looked at, 1 content_hash and metadata belong to this stat';
COMMENT ON COLUMN files.name IS 'a missing file whose place was taken is named "name/id", which no file can be';
CREATE UNIQUE INDEX files_place ON files (repository_id, directory_id, name);
CREATE INDEX files_inode ON files (repository_id, inode);
CREATE INDEX files_changes ON files (repository_id, change_number);
-- The deep scan's queue: newest changes first.
CREATE INDEX files_deep_queue ON files (repository_id, change_number) WHERE scan_phase = 0 AND state = 0;
CREATE INDEX files_missing ON files (repository_id, missing_since) WHERE state = 1;
CREATE INDEX files_content ON files (repository_id, content_hash) WHERE content_hash IS NOT NULL;

CREATE TABLE sync_operations (
    repository_id     uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    id                bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    operation_type    text NOT NULL,
    trigger           text NOT NULL,
    scope             text NOT NULL,
    status            text NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'cancelled', 'held')),
    files_scanned     bigint NOT NULL DEFAULT 0,
    files_added       bigint NOT NULL DEFAULT 0,
    files_updated     bigint NOT NULL DEFAULT 0,
    files_moved       bigint NOT NULL DEFAULT 0,
    files_removed     bigint NOT NULL DEFAULT 0,
    files_ignored     bigint NOT NULL DEFAULT 0,
    files_purged      bigint NOT NULL DEFAULT 0,
    directories       bigint NOT NULL DEFAULT 0,
    directories_moved bigint NOT NULL DEFAULT 0,
    problems          bigint NOT NULL DEFAULT 0,
    bytes_hashed      bigint NOT NULL DEFAULT 0,
    start_time        timestamptz NOT NULL DEFAULT now(),
    end_time          timestamptz,
    duration_ms       bigint,
    lease_token       bigint,
    error_message     text,
    PRIMARY KEY (repository_id, id)
);
-- One scan per repository at a time, whoever asks for it.
CREATE UNIQUE INDEX sync_operations_running ON sync_operations (repository_id)
    WHERE status = 'running' AND operation_type IN ('quick_scan', 'reconciliation', 'verify');
CREATE INDEX sync_operations_recent ON sync_operations (repository_id, start_time);

CREATE VIEW file_records AS
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
       f.updated_at
  FROM files f
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE f.state = 0;
COMMENT ON VIEW file_records IS 'every file that is present; last_scanned: when it was last known to be as recorded';

CREATE VIEW missing_files AS
SELECT f.repository_id,
       r.name AS repository_name,
       f.id AS file_id,
       CASE d.path WHEN '' THEN '' ELSE d.path || '/' END || split_part(f.name, '/', 1) AS file_path,
       f.size AS file_size,
       to_timestamp(f.mtime_ns / 1e9) AS mod_time,
       encode(f.content_hash, 'hex') AS content_hash,
       f.missing_since,
       f.change_number,
       f.created_at
  FROM files f
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE f.state = 1;
COMMENT ON VIEW missing_files IS 'every file proved absent whose grace period has not passed';

CREATE VIEW directory_problems AS
SELECT d.repository_id, r.name AS repository_name, d.path, d.problem_kind, d.problem, d.problem_since, d.listed_at
  FROM directories d
  JOIN repositories r ON r.id = d.repository_id
 WHERE d.problem IS NOT NULL AND d.state = 0;
COMMENT ON VIEW directory_problems IS 'directories that cannot be read; what is recorded below them is as it was';

CREATE FUNCTION changes_since(repository uuid, after bigint, at_most integer DEFAULT 1000)
RETURNS TABLE (change_number bigint, kind text, id bigint, path text, state text)
LANGUAGE sql STABLE
AS $$
    -- WITH TIES: a change number is given whole or not at all, so that the last one seen can be the next "after".
    (SELECT f.change_number, 'file', f.id,
            CASE d.path WHEN '' THEN '' ELSE d.path || '/' END || split_part(f.name, '/', 1),
            (ARRAY['present', 'missing', 'ignored'])[f.state + 1]
       FROM files f
       JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
      WHERE f.repository_id = repository AND f.change_number > after
      ORDER BY f.change_number
      FETCH FIRST at_most ROWS WITH TIES)
    UNION ALL
    (SELECT d.change_number, 'directory', d.id, d.path,
            (ARRAY['present', 'missing', 'ignored'])[d.state + 1]
       FROM directories d
      WHERE d.repository_id = repository AND d.change_number > after
      ORDER BY d.change_number
      FETCH FIRST at_most ROWS WITH TIES)
    ORDER BY 1
    FETCH FIRST at_most ROWS WITH TIES
$$;
COMMENT ON FUNCTION changes_since IS
    'what changed after a change number, in commit order; a moved directory stands for everything below it';
