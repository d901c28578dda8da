-- What a model says about pictures. Both tables are keyed by content and model, not by repository and file: however often
-- a picture is moved, copied or catalogued, it is sent away once.

CREATE TABLE image_descriptions (
    content_hash bytea NOT NULL,
    described_at timestamptz NOT NULL DEFAULT now(),
    unused_since timestamptz,
    model        text COLLATE "C" NOT NULL,
    language     text,
    description  text NOT NULL,
    tags         text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (content_hash, model)
);
COMMENT ON COLUMN image_descriptions.language IS 'in which it was asked for, or null';
COMMENT ON COLUMN image_descriptions.unused_since IS 'since when no file on record has had this content; after 30 days it goes';
CREATE INDEX image_descriptions_tags ON image_descriptions USING gin (tags);

CREATE TABLE description_claims (
    content_hash bytea NOT NULL,
    not_before   timestamptz,
    given_up_at  timestamptz,
    attempts     smallint NOT NULL DEFAULT 0,
    skipped      boolean NOT NULL DEFAULT false,
    model        text COLLATE "C" NOT NULL,
    worker       text,
    last_error   text,
    PRIMARY KEY (content_hash, model)
) WITH (fillfactor = 70);
COMMENT ON TABLE description_claims IS 'pictures that somebody is at, that are to be tried again later, or that are not described';
COMMENT ON COLUMN description_claims.not_before IS
    'when the next attempt may be made; null: never. Where there is a worker, it is gone if this has passed';
COMMENT ON COLUMN description_claims.skipped IS 'it cannot be described as things are configured, and was not read';
CREATE INDEX description_claims_due ON description_claims (model, not_before) WHERE not_before IS NOT NULL;

CREATE VIEW file_descriptions AS
SELECT f.repository_id, r.name AS repository_name, f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       x.model, x.language, x.description, x.tags, x.described_at
  FROM files f
  JOIN image_descriptions x ON x.content_hash = f.content_hash
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE f.state = 0;
COMMENT ON VIEW file_descriptions IS 'what a model says about the pictures that are present, a row for each model that was asked';

CREATE VIEW undescribed_files AS
SELECT f.repository_id, r.name AS repository_name, f.id AS file_id,
       CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS file_path,
       f.size AS file_size, c.model, c.skipped, c.attempts, c.last_error AS why, c.given_up_at
  FROM description_claims c
  JOIN files f ON f.content_hash = c.content_hash
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  JOIN repositories r ON r.id = f.repository_id
 WHERE c.not_before IS NULL AND f.state = 0;
COMMENT ON VIEW undescribed_files IS
    'pictures that are not described: skipped as things are configured, or given up until somebody says: retry';
