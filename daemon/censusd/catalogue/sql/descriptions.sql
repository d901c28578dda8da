-- name: page
-- LIMIT 1 has rows looked up one by one, whatever the planner's statistics say: a page is small, the tables may not be.
WITH page AS MATERIALIZED (
    SELECT id, directory_id, name, size, mtime_ns, ctime_ns, inode, change_number, content_hash, state, scan_phase
      FROM files
     WHERE repository_id = %(repository)s AND change_number > %(after)s AND change_number <= %(until)s
       AND (change_number, id) < (%(until)s, %(before)s)
     ORDER BY change_number DESC, id DESC LIMIT %(most)s
), reached AS (
    SELECT change_number, id FROM page ORDER BY change_number, id LIMIT 1
), wanted AS (
    SELECT p.id, d.path, p.name, p.size, p.mtime_ns, p.ctime_ns, p.inode, p.change_number, p.content_hash, m.mime_type,
           CASE WHEN m.details->>'orientation' ~ '^[2-8]$' THEN (m.details->>'orientation')::integer ELSE 1 END AS orientation
      FROM page p
     CROSS JOIN LATERAL (SELECT mime_type, details FROM file_metadata
                          WHERE repository_id = %(repository)s AND file_id = p.id
                            AND kind IN ('image', 'generated_image') LIMIT 1) m
      JOIN directories d ON d.repository_id = %(repository)s AND d.id = p.directory_id
     WHERE p.state = 0 AND p.scan_phase = 1 AND p.content_hash IS NOT NULL
       AND (%(everywhere)s
            OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
                 WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
                 ORDER BY length(p.path) DESC LIMIT 1))
       AND (SELECT true FROM image_descriptions x
             WHERE x.content_hash = p.content_hash AND x.model = %(model)s LIMIT 1) IS NULL
       AND (SELECT true FROM description_claims c
             WHERE c.content_hash = p.content_hash AND c.model = %(model)s
               AND (c.not_before > now() OR c.not_before IS NULL
                    -- What was skipped may not have to be any more.
                    AND NOT (c.skipped AND m.mime_type = ANY(%(types)s::text[]) AND p.size <= %(largest)s))
             LIMIT 1) IS NULL
)
SELECT r.change_number, r.id, w.id, w.path, w.name, w.size, w.mtime_ns, w.ctime_ns, w.inode, w.change_number,
       w.content_hash, w.mime_type, w.orientation
  FROM reached r LEFT JOIN wanted w ON true
 ORDER BY w.change_number DESC, w.id DESC

-- name: due
SELECT f.id, f.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.change_number, c.content_hash, f.mime_type,
       f.orientation
  FROM description_claims c
 CROSS JOIN LATERAL (
    SELECT f.id, d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.change_number, m.mime_type,
           CASE WHEN m.details->>'orientation' ~ '^[2-8]$' THEN (m.details->>'orientation')::integer ELSE 1 END AS orientation
      FROM files f
      JOIN file_metadata m ON m.repository_id = f.repository_id AND m.file_id = f.id
       AND m.kind IN ('image', 'generated_image')
      JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
     WHERE f.repository_id = %(repository)s AND f.content_hash = c.content_hash AND f.state = 0 AND f.scan_phase = 1
       AND (%(everywhere)s
            OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
                 WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
                 ORDER BY length(p.path) DESC LIMIT 1))
     ORDER BY f.change_number DESC LIMIT 1
 ) f
 WHERE c.model = %(model)s AND c.not_before <= now()
 ORDER BY c.not_before LIMIT %(most)s

-- name: claim
INSERT INTO description_claims AS c (content_hash, model, worker, not_before)
SELECT %(hash)s, %(model)s, %(worker)s, now() + make_interval(secs => %(lease)s)
 WHERE EXISTS (SELECT FROM files f
                WHERE f.repository_id = %(repository)s AND f.id = %(id)s AND f.state = 0 AND f.scan_phase = 1
                  AND f.content_hash = %(hash)s AND f.size = %(size)s AND f.mtime_ns = %(mtime_ns)s
                  AND f.ctime_ns = %(ctime_ns)s AND f.inode = %(inode)s)
   AND NOT EXISTS (SELECT FROM image_descriptions WHERE content_hash = %(hash)s AND model = %(model)s)
    ON CONFLICT (content_hash, model) DO UPDATE
   SET worker = excluded.worker, not_before = excluded.not_before, given_up_at = NULL, skipped = false,
       -- A claim that ran out is the trace of a daemon that died.
       attempts = CASE WHEN c.skipped THEN 0 ELSE c.attempts END + CASE WHEN c.worker IS NOT NULL THEN 1 ELSE 0 END,
       last_error = CASE WHEN c.worker IS NOT NULL THEN 'the daemon ended while it was being described'
                         WHEN NOT c.skipped THEN c.last_error END
 WHERE c.not_before <= now() OR c.skipped
RETURNING attempts

-- name: unclaim_described
DELETE FROM description_claims
 WHERE content_hash = %(hash)s AND model = %(model)s AND worker = %(worker)s
   AND EXISTS (SELECT FROM image_descriptions WHERE content_hash = %(hash)s AND model = %(model)s)

-- name: store
WITH mine AS (
    DELETE FROM description_claims WHERE content_hash = %(hash)s AND model = %(model)s AND worker = %(worker)s
    RETURNING content_hash, model
)
INSERT INTO image_descriptions (content_hash, model, language, description, tags)
SELECT content_hash, model, %(language)s, %(description)s, %(tags)s::text[] FROM mine
    ON CONFLICT (content_hash, model) DO NOTHING

-- name: settle
UPDATE description_claims
   SET worker = NULL, attempts = attempts + %(charge)s, last_error = coalesce(%(why)s, last_error),
       not_before = CASE WHEN NOT %(final)s AND attempts + %(charge)s < %(most)s
                         THEN now() + make_interval(secs => %(delay)s * power(5, attempts)) END,
       given_up_at = CASE WHEN %(final)s OR attempts + %(charge)s >= %(most)s THEN now() END
 WHERE content_hash = %(hash)s AND model = %(model)s AND worker = %(worker)s
RETURNING given_up_at IS NOT NULL

-- name: skip
INSERT INTO description_claims (content_hash, model, skipped, last_error)
SELECT u.hash, %(model)s, true, u.reason
  FROM unnest(%(hashes)s::bytea[], %(reasons)s::text[]) AS u (hash, reason)
    ON CONFLICT (content_hash, model) DO NOTHING

-- name: retry
UPDATE description_claims c
   SET attempts = 0, not_before = now(), given_up_at = NULL, last_error = NULL
 WHERE c.worker IS NULL AND NOT c.skipped AND (c.not_before IS NULL OR c.attempts > 0)
   AND EXISTS (SELECT FROM files f
                 JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
                WHERE f.repository_id = %(repository)s AND f.content_hash = c.content_hash AND f.state = 0
                  AND (%(path)s = '' OR d.path = %(path)s OR starts_with(d.path, %(path)s || '/')
                       OR CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END = %(path)s))

-- name: failures
SELECT CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.size, c.attempts, c.last_error,
       c.given_up_at, c.not_before, c.model
  FROM description_claims c
  JOIN files f ON f.repository_id = %s AND f.content_hash = c.content_hash AND f.state = 0
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE c.attempts > 0 AND c.worker IS NULL
 ORDER BY c.given_up_at IS NULL, d.path, f.name, c.model LIMIT %s

-- name: of_file
SELECT x.model, x.language, x.description, x.tags, x.described_at
  FROM files f JOIN image_descriptions x ON x.content_hash = f.content_hash
 WHERE f.repository_id = %s AND f.id = %s ORDER BY x.described_at DESC, x.model

-- name: counts
SELECT (SELECT count(*) FROM image_descriptions WHERE model = %(model)s),
       (SELECT count(*) FROM description_claims WHERE model = %(model)s AND given_up_at IS NOT NULL),
       (SELECT count(*) FROM description_claims WHERE model = %(model)s AND skipped)

-- name: mark_used
UPDATE image_descriptions x SET unused_since = NULL
 WHERE x.unused_since IS NOT NULL AND EXISTS (SELECT FROM files f WHERE f.content_hash = x.content_hash)

-- name: mark_unused
UPDATE image_descriptions x SET unused_since = now()
 WHERE x.unused_since IS NULL AND NOT EXISTS (SELECT FROM files f WHERE f.content_hash = x.content_hash)

-- name: purge
DELETE FROM image_descriptions WHERE unused_since < now() - make_interval(secs => %s)

-- name: purge_claims
DELETE FROM description_claims c
 WHERE (c.worker IS NULL OR c.not_before < now())
   AND NOT EXISTS (SELECT FROM files f WHERE f.content_hash = c.content_hash)
