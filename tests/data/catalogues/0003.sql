CREATE FUNCTION public.changes_since(repository uuid, after bigint, at_most integer DEFAULT 1000) RETURNS TABLE(change_number bigint, kind text, id bigint, path text, state text)
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
COMMENT ON FUNCTION public.changes_since(repository uuid, after bigint, at_most integer) IS 'what changed after a change number, in commit order; a moved directory stands for everything below it';
CREATE TABLE public.deep_scan_claims (
    repository_id uuid NOT NULL,
    file_id bigint NOT NULL,
    change_number bigint NOT NULL,
    claimed_at timestamp with time zone,
    lease_expires_at timestamp with time zone,
    retry_at timestamp with time zone,
    quarantined_at timestamp with time zone,
    attempts smallint DEFAULT 0 NOT NULL,
    put_off smallint DEFAULT 0 NOT NULL,
    keeps_hash boolean DEFAULT false NOT NULL,
    worker text,
    last_error text
)
WITH (fillfactor='70');
COMMENT ON TABLE public.deep_scan_claims IS 'files that a worker is at, that are to be tried again later, or that are quarantined';
COMMENT ON COLUMN public.deep_scan_claims.change_number IS 'of the file when this was written: once the file has a newer one, attempts and quarantine are void';
COMMENT ON COLUMN public.deep_scan_claims.lease_expires_at IS 'null: nobody is at it; in the past: its worker is gone';
COMMENT ON COLUMN public.deep_scan_claims.put_off IS 'how often running the file was not the version on record, or its worker''s lease ran out';
COMMENT ON COLUMN public.deep_scan_claims.keeps_hash IS 'only the metadata is to be read again; the hash on record is right';
CREATE TABLE public.deep_scan_extractors (
    repository_id uuid NOT NULL,
    extractor text NOT NULL,
    version integer NOT NULL
);
COMMENT ON TABLE public.deep_scan_extractors IS 'which extractors a repository''s files were offered to';
CREATE TABLE public.description_claims (
    content_hash bytea NOT NULL,
    not_before timestamp with time zone,
    given_up_at timestamp with time zone,
    attempts smallint DEFAULT 0 NOT NULL,
    skipped boolean DEFAULT false NOT NULL,
    model text NOT NULL COLLATE pg_catalog."C",
    worker text,
    last_error text
)
WITH (fillfactor='70');
COMMENT ON TABLE public.description_claims IS 'pictures that somebody is at, that are to be tried again later, or that are not described';
COMMENT ON COLUMN public.description_claims.not_before IS 'when the next attempt may be made; null: never. Where there is a worker, it is gone if this has passed';
COMMENT ON COLUMN public.description_claims.skipped IS 'it cannot be described as things are configured, and was not read';
CREATE SEQUENCE public.directory_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.directories (
    repository_id uuid NOT NULL,
    id bigint DEFAULT nextval('public.directory_ids'::regclass) NOT NULL,
    parent_id bigint NOT NULL,
    device bigint DEFAULT 0 NOT NULL,
    inode bigint NOT NULL,
    birth_ns bigint DEFAULT 0 NOT NULL,
    change_number bigint NOT NULL,
    scan_generation bigint DEFAULT 0 NOT NULL,
    listed_at timestamp with time zone,
    missing_since timestamp with time zone,
    problem_since timestamp with time zone,
    state smallint DEFAULT 0 NOT NULL,
    unseen boolean DEFAULT false NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    path text NOT NULL COLLATE pg_catalog."C",
    digest bytea,
    problem_kind text,
    problem text
)
WITH (fillfactor='85');
COMMENT ON COLUMN public.directories.parent_id IS '0 for the root';
COMMENT ON COLUMN public.directories.state IS '0 present, 1 missing, 2 ignored';
COMMENT ON COLUMN public.directories.unseen IS 'a directory above it could not be read, so nothing was learnt of it since listed_at';
COMMENT ON COLUMN public.directories.digest IS 'of its last complete listing; null where that is out of date';
CREATE TABLE public.repositories (
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    root text NOT NULL COLLATE pg_catalog."C",
    state text DEFAULT 'active'::text NOT NULL,
    state_reason text,
    state_since timestamp with time zone DEFAULT now() NOT NULL,
    identity jsonb,
    change_number bigint DEFAULT 0 NOT NULL,
    lease_owner text,
    lease_token bigint DEFAULT 0 NOT NULL,
    lease_expires_at timestamp with time zone,
    dirty_since timestamp with time zone,
    dirty_reason text,
    scan_generation bigint DEFAULT 0 NOT NULL,
    last_pass_at timestamp with time zone,
    reconcile_interval double precision,
    next_reconciliation_at timestamp with time zone,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT repositories_state_check CHECK ((state = ANY (ARRAY['active'::text, 'offline'::text, 'held'::text, 'retired'::text])))
);
COMMENT ON COLUMN public.repositories.scan_generation IS 'how many complete passes there have been';
COMMENT ON COLUMN public.repositories.last_pass_at IS 'when the last complete pass began: every change before it is on record';
COMMENT ON COLUMN public.repositories.reconcile_interval IS 'seconds between passes, as adapted to the drift they found';
CREATE VIEW public.directory_problems AS
 SELECT d.repository_id,
    r.name AS repository_name,
    d.path,
    d.problem_kind,
    d.problem,
    d.problem_since,
    d.listed_at
   FROM (public.directories d
     JOIN public.repositories r ON ((r.id = d.repository_id)))
  WHERE ((d.problem IS NOT NULL) AND (d.state = 0));
COMMENT ON VIEW public.directory_problems IS 'directories that cannot be read; what is recorded below them is as it was';
CREATE SEQUENCE public.entity_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 20;
CREATE TABLE public.entities (
    repository_id uuid NOT NULL,
    id bigint DEFAULT nextval('public.entity_ids'::regclass) NOT NULL,
    kind text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    sort_name text
);
COMMENT ON TABLE public.entities IS 'people, series, genres, tags, publishers, albums, models: what files have in common';
CREATE SEQUENCE public.file_ids
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 100;
CREATE TABLE public.files (
    repository_id uuid NOT NULL,
    id bigint DEFAULT nextval('public.file_ids'::regclass) NOT NULL,
    directory_id bigint NOT NULL,
    size bigint NOT NULL,
    mtime_ns bigint NOT NULL,
    ctime_ns bigint NOT NULL,
    inode bigint NOT NULL,
    change_number bigint NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    missing_since timestamp with time zone,
    links integer NOT NULL,
    state smallint DEFAULT 0 NOT NULL,
    scan_phase smallint DEFAULT 0 NOT NULL,
    name text NOT NULL COLLATE pg_catalog."C",
    content_hash bytea
);
COMMENT ON COLUMN public.files.state IS '0 present, 1 missing, 2 ignored';
COMMENT ON COLUMN public.files.scan_phase IS '0 its content has to be looked at, 1 content_hash and metadata belong to this stat';
COMMENT ON COLUMN public.files.name IS 'a missing file whose place was taken is named "name/id", which no file can be';
CREATE TABLE public.image_descriptions (
    content_hash bytea NOT NULL,
    described_at timestamp with time zone DEFAULT now() NOT NULL,
    unused_since timestamp with time zone,
    model text NOT NULL COLLATE pg_catalog."C",
    language text,
    description text NOT NULL,
    tags text[] DEFAULT '{}'::text[] NOT NULL
);
COMMENT ON COLUMN public.image_descriptions.unused_since IS 'since when no file on record has had this content; after 30 days it goes';
COMMENT ON COLUMN public.image_descriptions.language IS 'in which it was asked for, or null';
CREATE VIEW public.file_descriptions AS
 SELECT f.repository_id,
    r.name AS repository_name,
    f.id AS file_id,
        CASE d.path
            WHEN ''::text THEN f.name
            ELSE ((d.path || '/'::text) || f.name)
        END AS file_path,
    x.model,
    x.language,
    x.description,
    x.tags,
    x.described_at
   FROM (((public.files f
     JOIN public.image_descriptions x ON ((x.content_hash = f.content_hash)))
     JOIN public.directories d ON (((d.repository_id = f.repository_id) AND (d.id = f.directory_id))))
     JOIN public.repositories r ON ((r.id = f.repository_id)))
  WHERE (f.state = 0);
COMMENT ON VIEW public.file_descriptions IS 'what a model says about the pictures that are present, a row for each model that was asked';
CREATE TABLE public.file_metadata (
    repository_id uuid NOT NULL,
    file_id bigint NOT NULL,
    extracted_at timestamp with time zone DEFAULT now() NOT NULL,
    created_at timestamp with time zone,
    duration double precision,
    latitude double precision,
    longitude double precision,
    width integer,
    height integer,
    pages integer,
    extractor_version integer NOT NULL,
    extractor text NOT NULL,
    kind text,
    mime_type text,
    title text,
    created text,
    language text,
    problem text,
    details jsonb DEFAULT '{}'::jsonb NOT NULL
);
COMMENT ON COLUMN public.file_metadata.created_at IS 'the same to sort by; where the file names no offset, as if it were UTC';
COMMENT ON COLUMN public.file_metadata.kind IS 'image, generated_image, comic, book, audio, video, document; null: it cannot be read';
COMMENT ON COLUMN public.file_metadata.created IS 'when its content came to be, as far as the file says: 2024, 2024-05-01T12:00:00';
COMMENT ON COLUMN public.file_metadata.problem IS 'why this is not all there is to say, or nothing';
CREATE VIEW public.file_records AS
 SELECT f.repository_id,
    r.name AS repository_name,
    f.id AS file_id,
        CASE d.path
            WHEN ''::text THEN f.name
            ELSE ((d.path || '/'::text) || f.name)
        END AS file_path,
    f.size AS file_size,
    to_timestamp((((f.mtime_ns)::numeric / '1000000000'::numeric))::double precision) AS mod_time,
    encode(f.content_hash, 'hex'::text) AS content_hash,
        CASE
            WHEN (d.unseen OR (d.problem IS NOT NULL)) THEN d.listed_at
            ELSE GREATEST(d.listed_at, r.last_pass_at)
        END AS last_scanned,
        CASE
            WHEN (d.unseen OR (d.problem IS NOT NULL)) THEN d.scan_generation
            ELSE GREATEST(d.scan_generation, r.scan_generation)
        END AS scan_generation,
    f.scan_phase,
    f.mtime_ns,
    f.ctime_ns,
    f.inode,
    f.links,
    f.directory_id,
    f.change_number,
    f.created_at,
    f.updated_at
   FROM ((public.files f
     JOIN public.directories d ON (((d.repository_id = f.repository_id) AND (d.id = f.directory_id))))
     JOIN public.repositories r ON ((r.id = f.repository_id)))
  WHERE (f.state = 0);
COMMENT ON VIEW public.file_records IS 'every file that is present; last_scanned: when it was last known to be as recorded';
CREATE VIEW public.file_details AS
 SELECT v.repository_id,
    v.repository_name,
    v.file_id,
    v.file_path,
    v.file_size,
    v.mod_time,
    v.content_hash,
    v.last_scanned,
    v.scan_generation,
    v.scan_phase,
    v.mtime_ns,
    v.ctime_ns,
    v.inode,
    v.links,
    v.directory_id,
    v.change_number,
    v.created_at,
    v.updated_at,
    m.kind,
    m.mime_type,
    m.title,
    m.width,
    m.height,
    m.duration,
    m.pages,
    m.created,
    m.created_at AS content_created_at,
    m.language,
    m.latitude,
    m.longitude,
    m.details,
    m.problem AS content_problem,
    m.extractor,
    m.extractor_version,
    m.extracted_at
   FROM (public.file_records v
     LEFT JOIN public.file_metadata m ON (((m.repository_id = v.repository_id) AND (m.file_id = v.file_id))));
COMMENT ON VIEW public.file_details IS 'every file that is present, with what was found in it';
CREATE TABLE public.file_entities (
    repository_id uuid NOT NULL,
    file_id bigint NOT NULL,
    entity_id bigint NOT NULL,
    "position" double precision DEFAULT 0 NOT NULL,
    role text NOT NULL
);
COMMENT ON COLUMN public.file_entities."position" IS 'the place among several of a role, from 0; for a series, the number in it';
COMMENT ON COLUMN public.file_entities.role IS 'author, narrator, artist, series, keyword, lora: what the entity is to the file';
CREATE VIEW public.file_relations AS
 SELECT l.repository_id,
    r.name AS repository_name,
    l.file_id,
    l.role,
    l."position",
    e.id AS entity_id,
    e.kind,
    e.name,
    e.sort_name
   FROM ((public.file_entities l
     JOIN public.entities e ON (((e.repository_id = l.repository_id) AND (e.id = l.entity_id))))
     JOIN public.repositories r ON ((r.id = l.repository_id)));
COMMENT ON VIEW public.file_relations IS 'whom and what files have to do with: join it to file_details by repository_id and file_id';
CREATE VIEW public.missing_files AS
 SELECT f.repository_id,
    r.name AS repository_name,
    f.id AS file_id,
    (
        CASE d.path
            WHEN ''::text THEN ''::text
            ELSE (d.path || '/'::text)
        END || split_part(f.name, '/'::text, 1)) AS file_path,
    f.size AS file_size,
    to_timestamp((((f.mtime_ns)::numeric / '1000000000'::numeric))::double precision) AS mod_time,
    encode(f.content_hash, 'hex'::text) AS content_hash,
    f.missing_since,
    f.change_number,
    f.created_at
   FROM ((public.files f
     JOIN public.directories d ON (((d.repository_id = f.repository_id) AND (d.id = f.directory_id))))
     JOIN public.repositories r ON ((r.id = f.repository_id)))
  WHERE (f.state = 1);
COMMENT ON VIEW public.missing_files IS 'every file proved absent whose grace period has not passed';
CREATE VIEW public.quarantined_files AS
 SELECT c.repository_id,
    r.name AS repository_name,
    f.id AS file_id,
        CASE d.path
            WHEN ''::text THEN f.name
            ELSE ((d.path || '/'::text) || f.name)
        END AS file_path,
    f.size AS file_size,
    c.attempts,
    c.last_error,
    c.quarantined_at
   FROM (((public.deep_scan_claims c
     JOIN public.files f ON (((f.repository_id = c.repository_id) AND (f.id = c.file_id))))
     JOIN public.directories d ON (((d.repository_id = f.repository_id) AND (d.id = f.directory_id))))
     JOIN public.repositories r ON ((r.id = f.repository_id)))
  WHERE ((c.quarantined_at IS NOT NULL) AND (c.change_number = f.change_number) AND (f.state = 0) AND (f.scan_phase = 0));
COMMENT ON VIEW public.quarantined_files IS 'files that the deep scan has given up until they change, or somebody says: retry';
CREATE TABLE public.schema_migrations (
    number integer NOT NULL,
    name text NOT NULL,
    applied_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE public.sync_operations (
    repository_id uuid NOT NULL,
    id bigint NOT NULL,
    operation_type text NOT NULL,
    trigger text NOT NULL,
    scope text NOT NULL,
    status text NOT NULL,
    files_scanned bigint DEFAULT 0 NOT NULL,
    files_added bigint DEFAULT 0 NOT NULL,
    files_updated bigint DEFAULT 0 NOT NULL,
    files_moved bigint DEFAULT 0 NOT NULL,
    files_removed bigint DEFAULT 0 NOT NULL,
    files_ignored bigint DEFAULT 0 NOT NULL,
    files_purged bigint DEFAULT 0 NOT NULL,
    directories bigint DEFAULT 0 NOT NULL,
    directories_moved bigint DEFAULT 0 NOT NULL,
    problems bigint DEFAULT 0 NOT NULL,
    bytes_hashed bigint DEFAULT 0 NOT NULL,
    start_time timestamp with time zone DEFAULT now() NOT NULL,
    end_time timestamp with time zone,
    duration_ms bigint,
    lease_token bigint,
    error_message text,
    CONSTRAINT sync_operations_status_check CHECK ((status = ANY (ARRAY['running'::text, 'completed'::text, 'failed'::text, 'cancelled'::text, 'held'::text])))
);
ALTER TABLE public.sync_operations ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.sync_operations_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE VIEW public.undescribed_files AS
 SELECT f.repository_id,
    r.name AS repository_name,
    f.id AS file_id,
        CASE d.path
            WHEN ''::text THEN f.name
            ELSE ((d.path || '/'::text) || f.name)
        END AS file_path,
    f.size AS file_size,
    c.model,
    c.skipped,
    c.attempts,
    c.last_error AS why,
    c.given_up_at
   FROM (((public.description_claims c
     JOIN public.files f ON ((f.content_hash = c.content_hash)))
     JOIN public.directories d ON (((d.repository_id = f.repository_id) AND (d.id = f.directory_id))))
     JOIN public.repositories r ON ((r.id = f.repository_id)))
  WHERE ((c.not_before IS NULL) AND (f.state = 0));
COMMENT ON VIEW public.undescribed_files IS 'pictures that are not described: skipped as things are configured, or given up until somebody says: retry';
INSERT INTO public.deep_scan_claims VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 101, 16, NULL, NULL, NULL, '2026-11-22 00:50:27.633897+00', 3, 0, false, NULL, 'it was ended by signal 9');
INSERT INTO public.deep_scan_extractors VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'image', 1),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'comics', 1),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'books', 1),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'pdf', 1),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'media', 1),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', '', 1);
INSERT INTO public.directories VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, 1, 65024, 2817456, 1795308623525608082, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'AI images', 'AI images', '\x1c05b27ef53e5d52670d3c7d3694adab', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, 1, 65024, 2817252, 1795308623849049451, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Audiobooks', 'Audiobooks', '\x411060237903d3f8219e776a81deffc8', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, 1, 65024, 2817355, 1795308623668870346, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Books', 'Books', '\xea9eaaf4b9d39c0a66633b2c79a7dd73', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, 1, 65024, 2817381, 1795308623615679653, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Comics', 'Comics', '\xc2bf8f2aa9ef6c2369bb7fe99325221f', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, 1, 65024, 2817320, 1795308623747211040, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Music', 'Music', '\x2144db035df5d80682edc8be5f3a48f5', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, 1, 65024, 2817611, 1795308623392554234, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Photos', 'Photos', '\xd61568b08efaa8701ccbc7821a7385a6', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 8, 1, 65024, 2817169, 1795308623962797829, 13, 1, '2026-11-22 00:50:25.227547+00', '2026-11-22 00:50:26.543932+00', NULL, 1, false, 'Research', 'Research', NULL, NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 1, 0, 65024, 2817545, 1795308622610433119, 4, 2, '2026-11-22 00:50:27.262981+00', NULL, NULL, 0, false, '', '', '\x02896b299134b59daaab03c3d915184b3e112856ab3a29ae', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 10, 2, 65024, 2817451, 1795308623526797809, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'txt2img', 'AI images/txt2img', '\xf717f7bf57a91b3cb3a88da8ed3dcfc6', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, 3, 65024, 2817251, 1795308623849049451, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Arthur Conan Doyle', 'Audiobooks/Arthur Conan Doyle', '\x1d8bc9319ac9f44b1e4ee6c7d32be3b2', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 12, 3, 65024, 2817227, 1795308623884572473, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Mary Shelley', 'Audiobooks/Mary Shelley', '\x66fdeedfe7505ef1e61bc90ad5bf81b6', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, 4, 65024, 2817354, 1795308623668870346, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Jane Austen', 'Books/Jane Austen', '\x6c6de080c9036eef6cd83498a160fff4', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, 4, 65024, 2817340, 1795308623698797817, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Johann Wolfgang von Goethe', 'Books/Johann Wolfgang von Goethe', '\x080051a652b435873bce98ba446d900e', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 15, 4, 65024, 2817324, 1795308623738994025, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Manuals', 'Books/Manuals', '\xaeadd508cdcd832d0c56d6e57a473e25', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 16, 4, 65024, 2817336, 1795308623712655761, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Selma Lagerlöf', 'Books/Selma Lagerlöf', '\xd4df949ca688c7de2b293c4e131e714b', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, 4, 65024, 2817347, 1795308623685614159, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Émile Zola', 'Books/Émile Zola', '\xc882ba8bb8b76e79a65f51d385789e12', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, 4, 65024, 2817332, 1795308623720623575, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Лев Толстой', 'Books/Лев Толстой', '\xa2d7a7fc896314045a3505de139e36ec', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 19, 4, 65024, 2817328, 1795308623730821175, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '夏目 漱石', 'Books/夏目 漱石', '\xc5e3c8761c50e43acaa59c2438931108', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 20, 5, 65024, 2817370, 1795308623640694602, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Capitaine Brume (2009)', 'Comics/Capitaine Brume (2009)', '\xb952eb894194b4ae1c2a61f9c7465243c0115ac962f1a69e', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 21, 5, 65024, 2817380, 1795308623623503011, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'The Lantern Keepers (2017)', 'Comics/The Lantern Keepers (2017)', '\x6e9d0fff423e4db1d59889857fb5507178ef1555db55f7ea', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 22, 5, 65024, 2817361, 1795308623655320837, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'わたしの庭 (2013)', 'Comics/わたしの庭 (2013)', '\xf53bca9fc107ac5980b8c347ee78e43f8a625155fbc882ae', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 23, 6, 65024, 2817191, 1795308623933482261, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Field recordings', 'Music/Field recordings', '\xcb1e62851b5700c9e25676122d8e227eb10c13b7a9ed1606', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 47, 11, 65024, 2817250, 1795308623855148798, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'A Study in Scarlet (2006)', 'Audiobooks/Arthur Conan Doyle/A Study in Scarlet (2006)', '\x74142eb5aee737192dc7c6306b4092cf8504bd8f1bf0d0fc', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 48, 12, 65024, 2817226, 1795308623884572473, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Frankenstein; or, The Modern Prometheus (2012)', 'Audiobooks/Mary Shelley/Frankenstein; or, The Modern Prometheus (2012)', '\x393073abd1d735441749e67f0492e0d5bb0357336b245427', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 49, 13, 65024, 2817350, 1795308623678797816, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Persuasion', 'Books/Jane Austen/Persuasion', '\x2011fa1cff481af7813b0a7c786b59a4d2d3ddd1b1371b39', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 50, 13, 65024, 2817353, 1795308623675044144, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Pride and Prejudice', 'Books/Jane Austen/Pride and Prejudice', '\x2459e3dbd73864206714845d782cd966', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 51, 14, 65024, 2817339, 1795308623702797817, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Die Leiden des jungen Werthers', 'Books/Johann Wolfgang von Goethe/Die Leiden des jungen Werthers', '\x7da4719527edf14673dcb9d28ac0f031', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 53, 17, 65024, 2817343, 1795308623692628250, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Au Bonheur des Dames', 'Books/Émile Zola/Au Bonheur des Dames', '\xf01deffd3455b8da3757f5d664c712ea', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 9, 2, 65024, 2817448, 1795308623534356560, 4, 2, '2026-11-22 00:50:27.262981+00', NULL, NULL, 0, false, 'comfyui', 'AI images/comfyui', '\x660004a8dd0f9a9fdf5389b7974b81c7d8589430a948bc2857939e29f626cb9f', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 24, 6, 65024, 2817287, 1795308623794495454, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Sólveig Árnadóttir', 'Music/Sólveig Árnadóttir', '\x9842f2e7fa3b044812bf9d4444809c7a', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 25, 6, 65024, 2817319, 1795308623747211040, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'The Paper Moons', 'Music/The Paper Moons', '\x44776e437438c5ee692bdfe428f32ad8', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 26, 6, 65024, 2817273, 1795308623814502975, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Various Artists', 'Music/Various Artists', '\x6f5c9488bb7903e234c06cba9ac060ea', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 27, 7, 65024, 2817612, 1795308623393400576, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2016', 'Photos/2016', '\x345dbd12d377a1f0ad99ab115f734b75', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 28, 7, 65024, 2817670, 1795308623416027043, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2018', 'Photos/2018', '\xd72ec25e2282db9fe466617f9104208e', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 29, 7, 65024, 2817702, 1795308623430072251, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2019', 'Photos/2019', '\x4cc3874feb1a7ef566b515b030e773a0', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 30, 7, 65024, 2817736, 1795308623457571506, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2021', 'Photos/2021', '\xade85571ccb7cb18112a3d966dc09475', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 31, 7, 65024, 2817904, 1795308623476690932, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2022', 'Photos/2022', '\x0781b2d7cf272023600c9b00a1d73ddb', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 32, 7, 65024, 2817475, 1795308623501419855, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024', 'Photos/2024', '\xea2b80c93f169803a7db5fac098a5ee9', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 33, 7, 65024, 2817667, 1795308623412711488, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'To sort', 'Photos/To sort', '\xca7f3a3ad2bce683af793cb0669e2b93', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 35, 10, 65024, 2817450, 1795308623526797809, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-11', 'AI images/txt2img/2024-03-11', '\xe24b3e6f5d9190bb4f23b5010b3c3bae', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 36, 10, 65024, 2817446, 1795308623536023106, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-12', 'AI images/txt2img/2024-03-12', '\x3c3bb93ff69768eed913457bafcb090c', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 37, 10, 65024, 2817443, 1795308623539016260, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-13', 'AI images/txt2img/2024-03-13', '\xd7e3cf7ae48d35a933d355426b4239c1', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 38, 10, 65024, 2817438, 1795308623547641324, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-14', 'AI images/txt2img/2024-03-14', '\x3cbc4555b7a1edd0363dc2ffb102160a', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 39, 10, 65024, 2817431, 1795308623552502785, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-15', 'AI images/txt2img/2024-03-15', '\x90640a053ea01958e3b740afbdef5cb946d1a9fe601ca4ac', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 40, 10, 65024, 2817424, 1795308623559978385, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-16', 'AI images/txt2img/2024-03-16', '\x74fd92fc82a8ab58a8a27537501e6c49', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 41, 10, 65024, 2817421, 1795308623563129815, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-17', 'AI images/txt2img/2024-03-17', '\xb979f2cd5bdbe3906e1045af3dad1b45', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 42, 10, 65024, 2817416, 1795308623569246628, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-18', 'AI images/txt2img/2024-03-18', '\x10daee2e8628f919a513af86acbf2b59', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 43, 10, 65024, 2817408, 1795308623577714708, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-19', 'AI images/txt2img/2024-03-19', '\x1c1241ca39c26ed3cb72bb26be3cbea2', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 44, 10, 65024, 2817405, 1795308623581633514, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-20', 'AI images/txt2img/2024-03-20', '\xd5c04fec354cd3a0142bedb5d5ece0e0', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 45, 10, 65024, 2817395, 1795308623595672863, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-21', 'AI images/txt2img/2024-03-21', '\x6585761047e29efe5840d0ee2e2901b2ffd0fad84acc203f', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 46, 10, 65024, 2817386, 1795308623604559738, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-03-22', 'AI images/txt2img/2024-03-22', '\x92f43d860ec41652dfc725d55b2914d9', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 52, 16, 65024, 2817335, 1795308623712655761, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Gösta Berlings saga', 'Books/Selma Lagerlöf/Gösta Berlings saga', '\xd2b1c3edd452091be5193c5c7bae8bf4ebca4ef529cc1bc0', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 54, 17, 65024, 2817346, 1795308623687109179, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Germinal', 'Books/Émile Zola/Germinal', '\x30e54f0a7334abf05a7bdb903c030800', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 55, 18, 65024, 2817331, 1795308623725531486, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Анна Каренина', 'Books/Лев Толстой/Анна Каренина', '\xe081d14dd7a059d7240d81c3cb1670df', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 56, 19, 65024, 2817327, 1795308623730821175, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'こころ', 'Books/夏目 漱石/こころ', '\x1e5f352e85fa99b44b39ee6a51c7f7ca', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 57, 24, 65024, 2817286, 1795308623794797821, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Vetrarljós (2019)', 'Music/Sólveig Árnadóttir/Vetrarljós (2019)', '\x3ab4211e144e88464179aee6bc538a642c0a84d38c7875ea', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 58, 25, 65024, 2817307, 1795308623771768547, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Live at the Boathouse (2014)', 'Music/The Paper Moons/Live at the Boathouse (2014)', '\x8e9e3133c160671c63ae1f883066234bd020d166e53ad58a', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 59, 25, 65024, 2817318, 1795308623747211040, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Slow Trains (2011)', 'Music/The Paper Moons/Slow Trains (2011)', '\xcbaf1fd0e71cad6c80aec36752b0d0d09d674cad67963dbc', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 60, 26, 65024, 2817272, 1795308623814797822, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, 'Kitchen Dancing, Vol. 2 (2022)', 'Music/Various Artists/Kitchen Dancing, Vol. 2 (2022)', '\x02a4112e91dc9aea743425f41b8ce5dd8ba27af72babed2f', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 61, 27, 65024, 2817613, 1795308623394219508, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2016-08-13 Höga Kusten', 'Photos/2016/2016-08-13 Höga Kusten', '\x97ad6e4ece2eaa30450659ab15560ef5d043895f9126ed57', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 62, 28, 65024, 2817672, 1795308623416861728, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2018-04-30 Walpurgis night', 'Photos/2018/2018-04-30 Walpurgis night', '\x5bf09283a08805930eaffb8197263e251f76b7a594abc112', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 63, 29, 65024, 2817703, 1795308623435489471, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2019-07-21 Sommer an der Ostsee', 'Photos/2019/2019-07-21 Sommer an der Ostsee', '\xdbcc2feced6f8a05cc53313080ab895b98e48dcce4e893e4', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 64, 30, 65024, 2817737, 1795308623459156821, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2021-10-02 Zoë''s birthday', 'Photos/2021/2021-10-02 Zoë''s birthday', '\xce18724c8f67fa57b7ec66ae5190c68b9ee89ed83f5d07c3', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 65, 31, 65024, 2817935, 1795308623476690932, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2022-02-11 北海道', 'Photos/2022/2022-02-11 北海道', '\x35c9a05aa8cae4cc54468572db83a67090af89e9a8f90e2d', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 66, 32, 65024, 2817474, 1795308623501419855, 4, 1, '2026-11-22 00:50:25.227547+00', NULL, NULL, 0, false, '2024-05-17 Łódź & Kraków', 'Photos/2024/2024-05-17 Łódź & Kraków', '\xf9bbb34ef1b4668c55e86f03c8fc87ff33a33e88f292b579', NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 34, 8, 65024, 2817167, 1795308623962797829, 13, 1, '2026-11-22 00:50:25.227547+00', '2026-11-22 00:50:26.543932+00', NULL, 1, false, 'Station Åre', 'Research/Station Åre', NULL, NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 67, 34, 65024, 2817165, 1795308623962797829, 13, 1, '2026-11-22 00:50:25.227547+00', '2026-11-22 00:50:26.543932+00', NULL, 1, false, '2021', 'Research/Station Åre/2021', NULL, NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 68, 34, 65024, 2817144, 1795308623993386027, 13, 1, '2026-11-22 00:50:25.227547+00', '2026-11-22 00:50:26.543932+00', NULL, 1, false, '2022', 'Research/Station Åre/2022', NULL, NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 69, 34, 65024, 2817120, 1795308624019568648, 13, 1, '2026-11-22 00:50:25.227547+00', '2026-11-22 00:50:26.543932+00', NULL, 1, false, '2023', 'Research/Station Åre/2023', NULL, NULL, NULL);
INSERT INTO public.entities VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 1, 'album', 'A Study in Scarlet', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, 'album', 'Frankenstein; or, The Modern Prometheus', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, 'album', 'Kitchen Dancing, Vol. 2', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, 'album', 'Live at the Boathouse', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, 'album', 'Slow Trains', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, 'album', 'Vetrarljós', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, 'model', 'dreamworks_v4', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 8, 'person', 'Ada Marlowe', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 9, 'person', 'Arthur Conan Doyle', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 10, 'person', 'Mary Shelley', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, 'person', 'René Févre', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 12, 'person', 'Sólveig Árnadóttir', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, 'person', 'The Paper Moons', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, 'person', 'Various Artists', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 15, 'person', '森 あおい', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 16, 'series', 'Capitaine Brume', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, 'series', 'The Lantern Keepers', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, 'series', 'わたしの庭', NULL);
INSERT INTO public.file_entities VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, 7, 0, 'model'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, 7, 0, 'model'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, 7, 0, 'model'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, 11, 0, 'writer'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, 16, 1, 'series'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, 8, 0, 'writer'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, 17, 5, 'series'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, 15, 0, 'writer'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, 18, 6, 'series'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 9, 7, 0, 'model'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 10, 7, 0, 'model'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, 1, 6, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, 9, 0, 'author'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, 2, 9, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, 10, 0, 'author'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, 2, 18, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, 10, 0, 'author'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, 6, 6, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, 12, 0, 'artist'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, 4, 7, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, 13, 0, 'artist'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 19, 5, 3, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 19, 13, 0, 'artist'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 20, 3, 2, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 20, 14, 0, 'artist'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 21, 3, 11, 'album'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 21, 14, 0, 'artist');
INSERT INTO public.file_metadata VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 160, 120, NULL, 1, 'image', 'generated_image', 'image/png', NULL, NULL, NULL, NULL, '{"seed": 1912923437, "model": "dreamworks_v4", "steps": 20, "prompt": "portrait of an old clockmaker, rim light", "sampler": "euler", "workflow": {"1": {"inputs": {"ckpt_name": "dreamworks_v4.safetensors"}, "class_type": "CheckpointLoaderSimple"}, "2": {"inputs": {"clip": ["1", 1], "text": "portrait of an old clockmaker, rim light"}, "class_type": "CLIPTextEncode"}, "3": {"inputs": {"cfg": 7.0, "seed": 1912923437, "model": ["1", 0], "steps": 20, "positive": ["2", 0], "sampler_name": "euler"}, "class_type": "KSampler"}}, "cfg_scale": 7, "generator": "ComfyUI"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 160, 120, NULL, 1, 'image', 'generated_image', 'image/png', NULL, NULL, NULL, NULL, '{"seed": 1623667860, "model": "dreamworks_v4", "steps": 20, "prompt": "cutaway drawing of a submarine, ink", "sampler": "euler", "workflow": {"1": {"inputs": {"ckpt_name": "dreamworks_v4.safetensors"}, "class_type": "CheckpointLoaderSimple"}, "2": {"inputs": {"clip": ["1", 1], "text": "cutaway drawing of a submarine, ink"}, "class_type": "CLIPTextEncode"}, "3": {"inputs": {"cfg": 7.0, "seed": 1623667860, "model": ["1", 0], "steps": 20, "positive": ["2", 0], "sampler_name": "euler"}, "class_type": "KSampler"}}, "cfg_scale": 7, "generator": "ComfyUI"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 160, 120, NULL, 1, 'image', 'generated_image', 'image/png', NULL, NULL, NULL, NULL, '{"seed": 1533111874, "model": "dreamworks_v4", "steps": 20, "prompt": "isometric library of glass", "sampler": "euler", "workflow": {"1": {"inputs": {"ckpt_name": "dreamworks_v4.safetensors"}, "class_type": "CheckpointLoaderSimple"}, "2": {"inputs": {"clip": ["1", 1], "text": "isometric library of glass"}, "class_type": "CLIPTextEncode"}, "3": {"inputs": {"cfg": 7.0, "seed": 1533111874, "model": ["1", 0], "steps": 20, "positive": ["2", 0], "sampler_name": "euler"}, "class_type": "KSampler"}}, "cfg_scale": 7, "generator": "ComfyUI"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, '2026-11-22 00:50:26.321455+00', '2009-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, 3, 1, 'comics', 'comic', 'application/vnd.comicbook+zip', NULL, '2009', NULL, NULL, '{"cover": "page 01.png", "number": "1", "series": "Capitaine Brume", "sources": ["ComicInfo.xml"], "container": "zip", "from_name": ["series_year"], "series_year": 2009, "stated_pages": 3}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, '2026-11-22 00:50:26.321455+00', '2017-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, 3, 1, 'comics', 'comic', 'application/vnd.comicbook+zip', NULL, '2017', NULL, NULL, '{"cover": "page 01.png", "number": "5", "series": "The Lantern Keepers", "sources": ["ComicInfo.xml"], "container": "zip", "from_name": ["series_year"], "series_year": 2017, "stated_pages": 3}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, '2026-11-22 00:50:26.321455+00', '2013-01-01 00:00:00+00', NULL, NULL, NULL, NULL, NULL, 3, 1, 'comics', 'comic', 'application/vnd.comicbook+zip', NULL, '2013', NULL, NULL, '{"cover": "page 01.png", "number": "6", "series": "わたしの庭", "sources": ["ComicInfo.xml"], "container": "zip", "from_name": ["series_year"], "series_year": 2013, "stated_pages": 3}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 8, '2026-11-22 00:50:26.321455+00', NULL, 0.5, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/wav', NULL, NULL, NULL, NULL, '{"codec": "pcm_s16le", "format": "wav", "bit_rate": 128000, "channels": 1, "lossless": true, "audiobook": false, "has_cover": false, "sample_rate": 8000, "bits_per_sample": 16}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 9, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 160, 120, NULL, 1, 'image', 'generated_image', 'image/png', NULL, NULL, NULL, NULL, '{"seed": 3652984215, "size": "160x120", "model": "dreamworks_v4", "steps": 28, "prompt": "cutaway drawing of a submarine, ink", "sampler": "DPM++ 2M Karras", "cfg_scale": 6.5, "generator": "AUTOMATIC1111", "negative_prompt": "blurry, extra fingers"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 10, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 160, 120, NULL, 1, 'image', 'generated_image', 'image/png', NULL, NULL, NULL, NULL, '{"seed": 1620051826, "size": "160x120", "model": "dreamworks_v4", "steps": 28, "prompt": "isometric library of glass", "sampler": "DPM++ 2M Karras", "cfg_scale": 6.5, "generator": "AUTOMATIC1111", "negative_prompt": "blurry, extra fingers"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, '2026-11-22 00:50:26.321455+00', '2006-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Chapter 6', '2006', NULL, NULL, '{"date": "2006", "album": "A Study in Scarlet", "codec": "mp3", "track": 6, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": true, "has_cover": false, "book_title": "A Study in Scarlet", "sample_rate": 44100, "bit_rate_mode": "constant", "audiobook_because": "it lies in a directory of audiobooks"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 12, '2026-11-22 00:50:26.321455+00', '2006-09-09 18:00:00+00', NULL, NULL, NULL, 192, 192, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2006-09-09T18:00:00', NULL, NULL, '{}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, '2026-11-22 00:50:26.321455+00', '2012-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Chapter 9', '2012', NULL, NULL, '{"date": "2012", "album": "Frankenstein; or, The Modern Prometheus", "codec": "mp3", "track": 9, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": true, "has_cover": false, "book_title": "Frankenstein; or, The Modern Prometheus", "sample_rate": 44100, "bit_rate_mode": "constant", "audiobook_because": "it lies in a directory of audiobooks"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, '2026-11-22 00:50:26.321455+00', '2012-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Chapter 18', '2012', NULL, NULL, '{"date": "2012", "album": "Frankenstein; or, The Modern Prometheus", "codec": "mp3", "track": 18, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": true, "has_cover": false, "book_title": "Frankenstein; or, The Modern Prometheus", "sample_rate": 44100, "bit_rate_mode": "constant", "audiobook_because": "it lies in a directory of audiobooks"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 15, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 80, 120, NULL, 1, 'image', 'image', 'image/png', NULL, NULL, NULL, NULL, '{}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 16, '2026-11-22 00:50:26.321455+00', NULL, NULL, NULL, NULL, 80, 120, NULL, 1, 'image', 'image', 'image/png', NULL, NULL, NULL, NULL, '{}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, '2026-11-22 00:50:26.321455+00', '2019-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Song 6', '2019', NULL, NULL, '{"date": "2019", "album": "Vetrarljós", "codec": "mp3", "track": 6, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": false, "has_cover": false, "sample_rate": 44100, "bit_rate_mode": "constant"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, '2026-11-22 00:50:26.321455+00', '2014-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Song 7', '2014', NULL, NULL, '{"date": "2014", "album": "Live at the Boathouse", "codec": "mp3", "track": 7, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": false, "has_cover": false, "sample_rate": 44100, "bit_rate_mode": "constant"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 19, '2026-11-22 00:50:26.321455+00', '2011-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Song 3', '2011', NULL, NULL, '{"date": "2011", "album": "Slow Trains", "codec": "mp3", "track": 3, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": false, "has_cover": false, "sample_rate": 44100, "bit_rate_mode": "constant"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 20, '2026-11-22 00:50:26.321455+00', '2022-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Song 2', '2022', NULL, NULL, '{"date": "2022", "album": "Kitchen Dancing, Vol. 2", "codec": "mp3", "track": 2, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": false, "has_cover": false, "sample_rate": 44100, "bit_rate_mode": "constant"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 21, '2026-11-22 00:50:26.321455+00', '2022-01-01 00:00:00+00', 0.992653, NULL, NULL, NULL, NULL, NULL, 1, 'media', 'audio', 'audio/mpeg', 'Song 11', '2022', NULL, NULL, '{"date": "2022", "album": "Kitchen Dancing, Vol. 2", "codec": "mp3", "track": 11, "format": "mp3", "bit_rate": 32000, "channels": 1, "lossless": false, "audiobook": false, "has_cover": false, "sample_rate": 44100, "bit_rate_mode": "constant"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 22, '2026-11-22 00:50:26.321455+00', '2016-08-13 11:46:35+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2016-08-13T11:46:35', NULL, NULL, '{"camera_make": "Canon", "camera_model": "EOS 70D"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 23, '2026-11-22 00:50:26.321455+00', '2016-08-13 15:24:37+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2016-08-13T15:24:37', NULL, NULL, '{"camera_make": "Canon", "camera_model": "EOS 70D"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 24, '2026-11-22 00:50:26.321455+00', '2018-04-30 14:04:48+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2018-04-30T14:04:48', NULL, NULL, '{"camera_make": "Canon", "camera_model": "EOS 70D"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 25, '2026-11-22 00:50:26.321455+00', '2019-07-21 12:39:23+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2019-07-21T12:39:23', NULL, NULL, '{"camera_make": "FUJIFILM", "camera_model": "X-T3"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 26, '2026-11-22 00:50:26.321455+00', '2021-10-02 10:36:40+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2021-10-02T10:36:40', NULL, NULL, '{"camera_make": "Apple", "camera_model": "iPhone 12"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 27, '2026-11-22 00:50:26.321455+00', '2021-10-02 13:38:29+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2021-10-02T13:38:29', NULL, NULL, '{"camera_make": "Apple", "camera_model": "iPhone 12"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 28, '2026-11-22 00:50:26.321455+00', '2022-02-11 12:36:46+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2022-02-11T12:36:46', NULL, NULL, '{"camera_make": "FUJIFILM", "camera_model": "X-T3"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 29, '2026-11-22 00:50:26.321455+00', '2022-02-11 14:56:03+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2022-02-11T14:56:03', NULL, NULL, '{"camera_make": "FUJIFILM", "camera_model": "X-T3"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 30, '2026-11-22 00:50:26.321455+00', '2024-05-17 13:09:54+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2024-05-17T13:09:54', NULL, NULL, '{"camera_make": "Google", "camera_model": "Pixel 8"}'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 31, '2026-11-22 00:50:26.321455+00', '2024-05-17 15:06:16+00', NULL, NULL, NULL, 320, 240, NULL, 1, 'image', 'image', 'image/jpeg', NULL, '2024-05-17T15:06:16', NULL, NULL, '{"camera_make": "Google", "camera_model": "Pixel 8"}');
INSERT INTO public.files VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 1, 1, 1, 1795308624045842806, 1795308624045842806, 2817106, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'not utf-8 .txt', '\x2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 5, 20, 1706, 1230984000000000000, 1795308623645970341, 2817369, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'Capitaine Brume #001 (2009).cbz', '\x964c91c1060f7cc45a995c7c30315b383693187b224ffb473385505687fc8db1'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 6, 21, 1642, 1493812800000000000, 1795308623634519071, 2817374, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'The Lantern Keepers #005 (2017).cbz', '\xa789e2a35fbcb01f94731d38a3b7147d4fb847767407698204c2d6c60dc7d8ed'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 7, 22, 1714, 1370260800000000000, 1795308623668870346, 2817356, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'わたしの庭 #006 (2013).cbz', '\x8df1d76aa90453dd0ae308e886ac5415235cdca4cfa315f5134eedca7d208140'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 8, 23, 8044, 1672560000000000000, 1795308623955891935, 2817178, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '08 half-tone above a.wav', '\x562387439bb8233fc697379b486a60da649e56a7549047eeca5ea332155077cb'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 9, 39, 744, 1710543600000000000, 1795308623557521651, 2817426, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '00014-3652984215.png', '\xa36d3e4203ade2c69e9e79967ca611b3d98cab3451305285fa7ae503f02dc99b'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 10, 45, 725, 1710997200000000000, 1795308623597582321, 2817394, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '00032-1620051826.png', '\x8d834ee7a799d8638327499bedc226c45aed875becc464c4ad6762407ea25aef'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 11, 47, 4127, 1157824800000000000, 1795308623864616118, 2817240, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '06 Chapter 6.mp3', '\xd97a695fde85d183b66c1b9a31d6e6c5ca9d14b05e45ed94c9e9354cbf918e12'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 12, 47, 1444, 1157824800000000000, 1795308623884572473, 2817228, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'cover.jpg', '\x0f9f867d1befd410d5f16c73d2b14ba11a37f2d07712ac3ee9e00d901c5eb1fc'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 13, 48, 4157, 1347213600000000000, 1795308623901680950, 2817212, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '09 Chapter 9.mp3', '\x0c4afa2d153b978a9a4d98aed5d6a25ddc70514b5033e4201a006eb46d2dac79'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 14, 48, 4161, 1347213600000000000, 1795308623921565848, 2817203, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '18 Chapter 18.mp3', '\xa7a8f2e9876b9bd4dc17c0cd42b08254e89188b5080632c15f59db3dcc25acb1'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, 9, 925, 1710669600000000000, 1795308626357200720, 2817419, 10, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.513341+00', NULL, 1, 0, 1, 'moved.png', '\x786bc4992ca0181ef9b9f4d3cb2b1e40afec889eb544d889279bfb4c16f6bb9b'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, 9, 960, 1710216000000000000, 1795308623536023106, 2817447, 13, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.543932+00', '2026-11-22 00:50:26.543932+00', 1, 1, 1, 'ComfyUI_00001_.png', '\x8b20f7a1dbf2dc5dd1b3307fe768b542bd5872358f42b83c78d4dd43e7a3b79b'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, 9, 972, 1795308627169239606, 1795308627169239606, 2817384, 16, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:27.358562+00', NULL, 1, 0, 0, 'ComfyUI_00037_.png', NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 15, 49, 406, 1462132800000000000, 1795308623685614159, 2817348, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'cover.png', '\x300fe64c961054bbf9d1a74b16159186e84642c3fb7134fe1f14a7b77134e042'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 16, 52, 406, 1588363200000000000, 1795308623720623575, 2817333, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'cover.png', '\x3e40dcfcff842bc83b301235f8eb0dd86233118abe650046b09e69a7914ebe9d'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 17, 57, 4105, 1568052000000000000, 1795308623812617193, 2817276, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '06 Song 6.mp3', '\x071e3139bc9deb731cf32e35e148cd99a5019b00858d49a448505c9f4614d477'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 18, 58, 4121, 1410285600000000000, 1795308623784696890, 2817297, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '07 Song 7.mp3', '\x7a5285bda45abfeebfd269b1e48788e0c34cbfa2e145d180028f9e8df18734d6'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 19, 59, 4101, 1315591200000000000, 1795308623759769301, 2817315, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '03 Song 3.mp3', '\xcba77c9d4eb6b3ceb2cfbf0b722ef8ee6e25444fbf0bd4fc67b7f384258d5b82'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 20, 60, 4125, 1662746400000000000, 1795308623821501574, 2817270, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '02 Song 2.mp3', '\x453191dd32660b51918cc68d5ead09f498bacdf7168f9a819de3789960654f8f'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 21, 60, 4129, 1662746400000000000, 1795308623837494527, 2817257, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, '11 Song 11.mp3', '\x35cf04728c333aa208f94779e7a8316a878f32081135dc9ae3bd29ba5a9ce831'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 22, 61, 2651, 1471088795000000000, 1795308623403708821, 2817620, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2049.jpg', '\x26764f639aaf49a0ed39bb1fa51b66379f60fab056b8181f286ec23440198cd0'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 23, 61, 2651, 1471101877000000000, 1795308623412711488, 2817666, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2072.jpg', '\xcfe5b27aae287d4736919579afc6e10324dec7e78ef78aaf7bac43a922c7b50b'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 24, 62, 2679, 1525097088000000000, 1795308623429077277, 2817695, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2094.jpg', '\xb7656faa97359348cb7d48da9416264f20f20d336905906ae2cfba932d8437df'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 25, 63, 2639, 1563712763000000000, 1795308623445028288, 2817720, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2120.jpg', '\x5a3a1ab21ab8042e711639d8dbff4004f90fe4136598469cb03de74a0ddfda02'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 26, 64, 2646, 1633171000000000000, 1795308623460599042, 2817738, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2142.jpg', '\x3d04dd5f4feb8358ae380df52c2c44dff54182b15b51349e1e43ddf6ad3d8b9e'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 27, 64, 2665, 1633181909000000000, 1795308623473653863, 2817775, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2160.jpg', '\x577e783f65f7b9acd44b3a824f5605f24f420bbd80d4f04c1c8ab6aa480d1704'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 28, 65, 2639, 1644583006000000000, 1795308623487698170, 2817489, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2185.jpg', '\x07d07abbd56fb013e8d36ae7929ac842320f0bf4b50219a519bcae8d6efcdc56'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 29, 65, 2634, 1644591363000000000, 1795308623500468687, 2817477, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2210.jpg', '\xad3b024627bf5e335cfd759c383baede54374cbbbf69743d7cb668e62141bbd4'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 30, 66, 2654, 1715951394000000000, 1795308623512632529, 2817466, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2229.jpg', '\x79810857e23bbde01d617e17e1d92eef160d14026fdd93f72f514bb0ed5bd899'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 31, 66, 2665, 1715958376000000000, 1795308623524638856, 2817458, 9, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.321455+00', NULL, 1, 0, 1, 'IMG_2253.jpg', '\xfbf07ed94f76cd7c85edc05de3ce46231090a97e33e5e1d10f3b7df706291e22'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 33, 67, 452, 1640649600000000000, 1795308623993386027, 2817145, 13, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.543932+00', '2026-11-22 00:50:26.543932+00', 1, 1, 1, 'temperature-2021-12.csv', '\x08618acbcfe2a671706768baa6e53f694d459bffe81751ecd42d0c680f6c9be3'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 32, 67, 455, 1616889600000000000, 1795308623979892782, 2817158, 13, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.543932+00', '2026-11-22 00:50:26.543932+00', 1, 1, 1, 'temperature-2021-03.csv', '\xe7ee32060ded34894e207724d37c9330be0fcb96e6274d492045c4962563642d'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 34, 68, 451, 1664323200000000000, 1795308624016371670, 2817126, 13, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.543932+00', '2026-11-22 00:50:26.543932+00', 1, 1, 1, 'temperature-2022-09.csv', '\x534034462f45ef2762dd766339a42eeeb326ca5218dfff954d39fa9944559715'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 35, 69, 455, 1687910400000000000, 1795308624027122595, 2817114, 13, '2026-11-22 00:50:25.253276+00', '2026-11-22 00:50:26.543932+00', '2026-11-22 00:50:26.543932+00', 1, 1, 1, 'temperature-2023-06.csv', '\x9f20d8d8d424157e1c4b8654e9b3f712633e3ae8d1908232798a735d0f12bb8f'),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 101, 1, 3, 1795308627170487227, 1795308627170487227, 2817109, 16, '2026-11-22 00:50:27.358562+00', '2026-11-22 00:50:27.358562+00', NULL, 1, 0, 0, 'new.txt', NULL);
INSERT INTO public.repositories VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 'library', '/srv/library', 'active', NULL, '2026-11-22 00:50:25.147183+00', '{"type": "ext4", "inode": 2817545, "device": 65024, "marker": null, "mounts": {}, "filesystem": "fsid:b994b070d16a59b9"}', 17, NULL, 2, NULL, NULL, NULL, 2, '2026-11-22 00:50:27.262981+00', 86400, '2026-11-22 22:54:29.365704+00', '2026-11-22 00:50:25.147183+00');
INSERT INTO public.schema_migrations VALUES
	(1, 'catalogue', '2026-11-22 00:50:24.894124+00'),
	(2, 'deep_scan', '2026-11-22 00:50:25.010897+00'),
	(3, 'descriptions', '2026-11-22 00:50:25.103281+00');
INSERT INTO public.sync_operations OVERRIDING SYSTEM VALUE VALUES
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 1, 'quick_scan', 'startup', '/', 'completed', 35, 35, 0, 0, 0, 0, 0, 69, 0, 0, 0, '2026-11-22 00:50:25.229504+00', '2026-11-22 00:50:25.281717+00', 52, 1, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 2, 'deep_scan', 'realtime', 'what has just changed', 'completed', 35, 0, 0, 0, 0, 0, 0, 0, 0, 0, 81047, '2026-11-22 00:50:26.30078+00', '2026-11-22 00:50:26.33848+00', 38, NULL, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 3, 'realtime', 'realtime', '12 names', 'completed', 7, 0, 0, 1, 5, 0, 0, 5, 0, 0, 0, '2026-11-22 00:50:26.513341+00', '2026-11-22 00:50:26.553673+00', 40, 1, NULL),
	('3a31e0e8-e4e0-4de4-b43e-14bccae77403', 4, 'reconciliation', 'startup', '/', 'completed', 31, 1, 1, 0, 0, 0, 0, 64, 0, 0, 0, '2026-11-22 00:50:27.278627+00', '2026-11-22 00:50:27.41231+00', 134, 2, NULL);
SELECT pg_catalog.setval('public.directory_ids', 69, true);
SELECT pg_catalog.setval('public.entity_ids', 20, true);
SELECT pg_catalog.setval('public.file_ids', 200, true);
SELECT pg_catalog.setval('public.sync_operations_id_seq', 4, true);
ALTER TABLE ONLY public.deep_scan_claims
    ADD CONSTRAINT deep_scan_claims_pkey PRIMARY KEY (repository_id, file_id);
ALTER TABLE ONLY public.deep_scan_extractors
    ADD CONSTRAINT deep_scan_extractors_pkey PRIMARY KEY (repository_id, extractor);
ALTER TABLE ONLY public.description_claims
    ADD CONSTRAINT description_claims_pkey PRIMARY KEY (content_hash, model);
ALTER TABLE ONLY public.directories
    ADD CONSTRAINT directories_pkey PRIMARY KEY (repository_id, id);
ALTER TABLE ONLY public.entities
    ADD CONSTRAINT entities_pkey PRIMARY KEY (repository_id, id);
ALTER TABLE ONLY public.file_entities
    ADD CONSTRAINT file_entities_pkey PRIMARY KEY (repository_id, file_id, entity_id, role);
ALTER TABLE ONLY public.file_metadata
    ADD CONSTRAINT file_metadata_pkey PRIMARY KEY (repository_id, file_id);
ALTER TABLE ONLY public.files
    ADD CONSTRAINT files_pkey PRIMARY KEY (repository_id, id);
ALTER TABLE ONLY public.image_descriptions
    ADD CONSTRAINT image_descriptions_pkey PRIMARY KEY (content_hash, model);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT repositories_name_key UNIQUE (name);
ALTER TABLE ONLY public.repositories
    ADD CONSTRAINT repositories_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (number);
ALTER TABLE ONLY public.sync_operations
    ADD CONSTRAINT sync_operations_pkey PRIMARY KEY (repository_id, id);
CREATE INDEX description_claims_due ON public.description_claims USING btree (model, not_before) WHERE (not_before IS NOT NULL);
CREATE INDEX directories_changes ON public.directories USING btree (repository_id, change_number);
CREATE INDEX directories_inode ON public.directories USING btree (repository_id, inode);
CREATE INDEX directories_path ON public.directories USING hash (path);
CREATE UNIQUE INDEX directories_place ON public.directories USING btree (repository_id, parent_id, name);
CREATE INDEX directories_problems ON public.directories USING btree (repository_id, path) WHERE (problem IS NOT NULL);
CREATE UNIQUE INDEX entities_name ON public.entities USING btree (repository_id, kind, name);
CREATE INDEX file_entities_entity ON public.file_entities USING btree (repository_id, entity_id);
CREATE INDEX file_metadata_kind ON public.file_metadata USING btree (repository_id, kind, created_at);
CREATE INDEX files_changes ON public.files USING btree (repository_id, change_number);
CREATE INDEX files_content ON public.files USING btree (repository_id, content_hash) WHERE (content_hash IS NOT NULL);
CREATE INDEX files_deep_queue ON public.files USING btree (repository_id, change_number) WHERE ((scan_phase = 0) AND (state = 0));
CREATE INDEX files_inode ON public.files USING btree (repository_id, inode);
CREATE INDEX files_missing ON public.files USING btree (repository_id, missing_since) WHERE (state = 1);
CREATE UNIQUE INDEX files_place ON public.files USING btree (repository_id, directory_id, name);
CREATE INDEX image_descriptions_tags ON public.image_descriptions USING gin (tags);
CREATE INDEX sync_operations_recent ON public.sync_operations USING btree (repository_id, start_time);
CREATE UNIQUE INDEX sync_operations_running ON public.sync_operations USING btree (repository_id) WHERE ((status = 'running'::text) AND (operation_type = ANY (ARRAY['quick_scan'::text, 'reconciliation'::text, 'verify'::text])));
ALTER TABLE ONLY public.deep_scan_claims
    ADD CONSTRAINT deep_scan_claims_repository_id_file_id_fkey FOREIGN KEY (repository_id, file_id) REFERENCES public.files(repository_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.deep_scan_extractors
    ADD CONSTRAINT deep_scan_extractors_repository_id_fkey FOREIGN KEY (repository_id) REFERENCES public.repositories(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.directories
    ADD CONSTRAINT directories_repository_id_fkey FOREIGN KEY (repository_id) REFERENCES public.repositories(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.entities
    ADD CONSTRAINT entities_repository_id_fkey FOREIGN KEY (repository_id) REFERENCES public.repositories(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.file_entities
    ADD CONSTRAINT file_entities_repository_id_entity_id_fkey FOREIGN KEY (repository_id, entity_id) REFERENCES public.entities(repository_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.file_entities
    ADD CONSTRAINT file_entities_repository_id_file_id_fkey FOREIGN KEY (repository_id, file_id) REFERENCES public.files(repository_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.file_metadata
    ADD CONSTRAINT file_metadata_repository_id_file_id_fkey FOREIGN KEY (repository_id, file_id) REFERENCES public.files(repository_id, id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sync_operations
    ADD CONSTRAINT sync_operations_repository_id_fkey FOREIGN KEY (repository_id) REFERENCES public.repositories(id) ON DELETE CASCADE;
