-- name: versions
SELECT extractor, version FROM deep_scan_extractors WHERE repository_id = %s

-- name: set_version
INSERT INTO deep_scan_extractors (repository_id, extractor, version) VALUES (%s, %s, %s)
ON CONFLICT (repository_id, extractor) DO UPDATE SET version = excluded.version

-- name: outdated
SELECT f.id
  FROM file_metadata m
  JOIN unnest(%(extractors)s::text[], %(versions)s::integer[]) AS u (extractor, version)
    ON u.extractor = m.extractor AND m.extractor_version < u.version
  JOIN files f ON f.repository_id = m.repository_id AND f.id = m.file_id AND f.state = 0 AND f.scan_phase = 1
 WHERE m.repository_id = %(repository)s AND m.file_id > %(after)s
 ORDER BY m.file_id LIMIT %(most)s

-- name: unread
SELECT f.id FROM files f LEFT JOIN file_metadata m ON m.repository_id = f.repository_id AND m.file_id = f.id
 WHERE f.repository_id = %s AND f.state = 0 AND f.scan_phase = 1 AND f.id > %s AND f.change_number <= %s
   AND m.file_id IS NULL AND f.size > 0
 ORDER BY f.id LIMIT %s

-- name: unhashed
SELECT f.id FROM files f
 WHERE f.repository_id = %s AND f.state = 0 AND f.scan_phase = 1 AND f.id > %s AND f.change_number <= %s
   AND f.content_hash IS NULL
 ORDER BY f.id LIMIT %s

-- name: requeue
UPDATE files SET scan_phase = 0, change_number = %s, updated_at = now()
 WHERE repository_id = %s AND id = ANY(%s::bigint[]) AND scan_phase = 1
RETURNING id

-- name: requeue_claims
INSERT INTO deep_scan_claims (repository_id, file_id, change_number, keeps_hash)
SELECT %(repository)s, id, %(change)s, true FROM unnest(%(ids)s::bigint[]) AS u (id)
ON CONFLICT (repository_id, file_id) DO UPDATE
   SET change_number = excluded.change_number, keeps_hash = true, attempts = 0, put_off = 0, retry_at = NULL,
       quarantined_at = NULL, last_error = NULL
