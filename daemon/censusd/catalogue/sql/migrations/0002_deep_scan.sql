-- The deep scan: who is at work on which file, what was found in it, and whom and what files have in common. These tables
-- are smaller than files, or grow as slowly as the deep scan works, so that they can afford foreign keys: what is
-- purged from files goes from here by itself.

CREATE TABLE deep_scan_claims (
    repository_id    uuid NOT NULL,
    file_id          bigint NOT NULL,
    change_number    bigint NOT NULL,
    claimed_at       timestamptz,
    lease_expires_at timestamptz,
    retry_at         timestamptz,
    quarantined_at   timestamptz,
    attempts         smallint NOT NULL DEFAULT 0,
    put_off          smallint NOT NULL DEFAULT 0,
    keeps_hash       boolean NOT NULL DEFAULT false,
    worker           text,
    last_error       text,
    PRIMARY KEY (repository_id, file_id),
    FOREIGN KEY (repository_id, file_id) REFERENCES files (repository_id, id) ON DELETE CASCADE
) WITH (fillfactor = 70);  -- rows are claimed, put off and let go of again and again
COMMENT ON TABLE deep_scan_claims IS 'files that a worker is at, that are to be tried again later, or that are quarantined';
COMMENT ON COLUMN deep_scan_claims.change_number IS
    'of the file when this was written: once the file has a newer one, attempts and quarantine are void';
COMMENT ON COLUMN deep_scan_claims.lease_expires_at IS 'null: nobody is at it; in the past: its worker is gone';
COMMENT ON COLUMN deep_scan_claims.put_off IS 'how often running the file was not the version on record, or its worker''s lease ran out';
COMMENT ON COLUMN deep_scan_claims.keeps_hash IS 'only the metadata is to be read again; the hash on record is right';

CREATE TABLE deep_scan_extractors (
    repository_id uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    extractor     text NOT NULL,
    version       integer NOT NULL,
    PRIMARY KEY (repository_id, extractor)
);
COMMENT ON TABLE deep_scan_extractors IS 'which extractors a repository''s files were offered to';

CREATE TABLE file_metadata (
    repository_id     uuid NOT NULL,
    file_id           bigint NOT NULL,
    extracted_at      timestamptz NOT NULL DEFAULT now(),
    created_at        timestamptz,
    duration          double precision,
    latitude          double precision,
    longitude         double precision,
    width             integer,
    height            integer,
    pages             integer,
    extractor_version integer NOT NULL,
    extractor         text NOT NULL,
    kind              text,
    mime_type         text,
    title             text,
    created           text,
    language          text,
    problem           text,
    details           jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (repository_id, file_id),
    FOREIGN KEY (repository_id, file_id) REFERENCES files (repository_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN file_metadata.kind IS 'image, generated_image, comic, book, audio, video, document; null: it cannot be read';
COMMENT ON COLUMN file_metadata.created IS 'when its content came to be, as far as the file says: 2024, 2024-05-01T12:00:00';
COMMENT ON COLUMN file_metadata.created_at IS 'the same to sort by; where the file names no offset, as if it were UTC';
COMMENT ON COLUMN file_metadata.problem IS 'why this is not all there is to say, or nothing';
CREATE INDEX file_metadata_kind ON file_metadata (repository_id, kind, created_at);

CREATE SEQUENCE entity_ids AS bigint CACHE 20;

CREATE TABLE entities (
    repository_id uuid NOT NULL REFERENCES repositories (id) ON DELETE CASCADE,
    id            bigint NOT NULL DEFAULT nextval('entity_ids'),
    kind          text COLLATE "C" NOT NULL,
    name          text COLLATE "C" NOT NULL,
    sort_name     text,
    PRIMARY KEY (repository_id, id)
);
COMMENT ON TABLE entities IS 'people, series, genres, tags, publishers, albums, models: what files have in common';
CREATE UNIQUE INDEX entities_name ON entities (repository_id, kind, name);

CREATE TABLE file_entities (
    repository_id uuid NOT NULL,
    file_id       bigint NOT NULL,
    entity_id     bigint NOT NULL,
    position      double precision NOT NULL DEFAULT 0,
    role          text NOT NULL,
    PRIMARY KEY (repository_id, file_id, entity_id, role),
    FOREIGN KEY (repository_id, file_id) REFERENCES files (repository_id, id) ON DELETE CASCADE,
    FOREIGN KEY (repository_id, entity_id) REFERENCES entities (repository_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN file_entities.role IS 'author, narrator, artist, series, keyword, lora: what the entity is to the file';
COMMENT ON COLUMN file_entities.position IS 'the place among several of a role, from 0; for a series, the number in it';
CREATE INDEX file_entities_entity ON file_entities (repository_id, entity_id);

CREATE VIEW file_details AS
SELECT v.*,
       m.kind, m.mime_type, m.title, m.width, m.height, m.duration, m.pages, m.created,
       m.created_at AS content_created_at, m.language, m.latitude, m.longitude, m.details,
       m.problem AS content_problem, m.extractor, m.extractor_version, m.extracted_at
  FROM file_records v
  LEFT JOIN file_metadata m ON m.repository_id = v.repository_id AND m.file_id = v.file_id;
COMMENT ON VIEW file_details IS 'every file that is present, with what was found in it';

CREATE VIEW file_relations AS
SELECT l.repository_id, r.name AS repository_name, l.file_id, l.role, l.position,
       e.id AS entity_id, e.kind, e.name, e.sort_name
  FROM file_entities l
  JOIN entities e ON e.repository_id = l.repository_id AND e.id = l.entity_id
  JOIN repositories r ON r.id = l.repository_id;
COMMENT ON VIEW file_relations IS 'whom and what files have to do with: join it to file_details by repository_id and file_id';

CREATE VIEW quarantined_files AS
SELECT c.repository_id, r.name AS repository_name, f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       f.size AS file_size, c.attempts, c.last_error, c.quarantined_at
  FROM deep_scan_claims c
  JOIN files f ON f.repository_id = c.repository_id AND f.id = c.file_id
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE c.quarantined_at IS NOT NULL AND c.change_number = f.change_number AND f.state = 0 AND f.scan_phase = 0;
COMMENT ON VIEW quarantined_files IS 'files that the deep scan has given up until they change, or somebody says: retry';
