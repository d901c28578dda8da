-- name: add_entities
INSERT INTO entities AS e (repository_id, kind, name, sort_name)
SELECT %(repository)s, * FROM unnest(%(kinds)s::text[], %(names)s::text[], %(sort_names)s::text[])
    ON CONFLICT (repository_id, kind, name) DO NOTHING
RETURNING id, kind, name

-- name: find_entities
SELECT e.id, e.kind, e.name
  FROM unnest(%s::text[], %s::text[]) AS u (kind, name)
  JOIN entities e ON e.repository_id = %s AND e.kind = u.kind AND e.name = u.name

-- name: put
INSERT INTO file_metadata AS m (repository_id, file_id, extractor, extractor_version, kind, mime_type, title, width,
       height, duration, pages, created, created_at, language, latitude, longitude, details, problem)
SELECT %(repository)s, u.*
  FROM unnest(%(file_id)s::bigint[], %(extractor)s::text[], %(extractor_version)s::integer[], %(kind)s::text[],
              %(mime_type)s::text[], %(title)s::text[], %(width)s::integer[], %(height)s::integer[],
              %(duration)s::float8[], %(pages)s::integer[], %(created)s::text[], %(created_at)s::timestamptz[],
              %(language)s::text[], %(latitude)s::float8[], %(longitude)s::float8[], %(details)s::jsonb[],
              %(problem)s::text[]) AS u
    ON CONFLICT (repository_id, file_id) DO UPDATE
   SET extractor = excluded.extractor, extractor_version = excluded.extractor_version, kind = excluded.kind,
       mime_type = excluded.mime_type, title = excluded.title, width = excluded.width, height = excluded.height,
       duration = excluded.duration, pages = excluded.pages, created = excluded.created,
       created_at = excluded.created_at, language = excluded.language, latitude = excluded.latitude,
       longitude = excluded.longitude, details = excluded.details, problem = excluded.problem, extracted_at = now()

-- name: forget
DELETE FROM file_metadata WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: forget_relations
DELETE FROM file_entities WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: relate
INSERT INTO file_entities (repository_id, file_id, entity_id, role, position)
SELECT %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::float8[])
    ON CONFLICT DO NOTHING
