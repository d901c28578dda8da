-- name: spent
SELECT coalesce(sum(bytes_hashed), 0)::bigint FROM sync_operations
 WHERE repository_id = %s AND operation_type = 'rehash' AND trigger = 'idle'
   AND start_time >= date_trunc('day', now(), 'UTC')

-- name: oldest
SELECT extract(epoch FROM now() - nullif(f.read_at, '-infinity'))::float8
  FROM files f
 CROSS JOIN LATERAL (SELECT path FROM directories
                      WHERE repository_id = f.repository_id AND id = f.directory_id OFFSET 0) AS d
 WHERE f.repository_id = %(repository)s AND f.state = 0 AND f.scan_phase = 1 AND f.content_hash IS NOT NULL
   AND (%(everywhere)s
        OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
             WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
             ORDER BY length(p.path) DESC LIMIT 1))
 ORDER BY f.read_at LIMIT 1

-- name: claim
-- LATERAL with OFFSET 0, and the conditions on claims: as in deep_queue.sql.
WITH wanted AS (
    SELECT f.id, d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.change_number, f.content_hash, f.read_at
      FROM files f
     CROSS JOIN LATERAL (SELECT path FROM directories
                          WHERE repository_id = f.repository_id AND id = f.directory_id OFFSET 0) AS d
      LEFT JOIN LATERAL (SELECT * FROM deep_scan_claims
                          WHERE repository_id = f.repository_id AND file_id = f.id OFFSET 0) AS c ON true
     WHERE f.repository_id = %(repository)s AND f.state = 0 AND f.scan_phase = 1 AND f.content_hash IS NOT NULL
       AND f.read_at >= %(since)s::timestamptz
       AND f.read_at < coalesce(%(before)s::timestamptz, now() - make_interval(secs => %(rest)s))
       AND (f.size <= %(left)s OR %(whole)s)
       AND (c.file_id IS NULL
            OR (c.lease_expires_at IS NULL
                OR c.lease_expires_at + make_interval(secs => CASE WHEN c.put_off < %(lost_often)s THEN 0
                       ELSE %(lost_delay)s * power(2, c.put_off - %(lost_often)s) END) < now())
               AND (c.quarantined_at IS NULL OR c.change_number < f.change_number)
               AND (c.retry_at IS NULL OR c.retry_at < now()))
       AND (%(file)s::bigint IS NULL OR f.id = %(file)s)
       AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
       AND (%(everywhere)s
            OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
                 WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
                 ORDER BY length(p.path) DESC LIMIT 1))
     ORDER BY f.read_at
     LIMIT %(most)s
       FOR NO KEY UPDATE OF f SKIP LOCKED
), counted AS (
    SELECT *, sum(size) OVER sofar AS total, row_number() OVER sofar AS rank
      FROM wanted WINDOW sofar AS (ORDER BY read_at, id ROWS UNBOUNDED PRECEDING)
), fitting AS (
    -- A file larger than a whole day's budget is read alone.
    SELECT * FROM counted WHERE total <= %(left)s OR (%(whole)s AND rank = 1)
), claimed AS (
    INSERT INTO deep_scan_claims AS c (repository_id, file_id, change_number, claimed_at, lease_expires_at, worker)
    SELECT %(repository)s, id, change_number, now(), now() + make_interval(secs => %(lease)s), %(worker)s FROM fitting
    ON CONFLICT (repository_id, file_id) DO UPDATE
       SET change_number = excluded.change_number, claimed_at = excluded.claimed_at, retry_at = NULL,
           lease_expires_at = excluded.lease_expires_at, worker = excluded.worker, keeps_hash = false,
           attempts = CASE WHEN c.change_number = excluded.change_number THEN c.attempts ELSE 0 END,
           put_off = CASE WHEN c.lease_expires_at IS NOT NULL THEN least(c.put_off + 1, 12) ELSE c.put_off END,
           last_error = CASE WHEN c.lease_expires_at IS NOT NULL THEN 'its worker ended without a word'
                             WHEN c.change_number = excluded.change_number THEN c.last_error END,
           quarantined_at = NULL
     WHERE c.lease_expires_at IS NULL OR c.lease_expires_at < now()
    RETURNING file_id, attempts
)
SELECT w.id, w.path, w.name, w.size, w.mtime_ns, w.ctime_ns, w.inode, w.change_number, c.attempts, false,
       w.content_hash, w.read_at::text
  FROM fitting w LEFT JOIN claimed c ON c.file_id = w.id,
       (SELECT set_config('synchronous_commit', 'off', true)) AS in_no_hurry
 ORDER BY w.read_at, w.id

-- name: compare
WITH same AS MATERIALIZED (
    SELECT f.place, u.hash
      FROM unnest(%(ids)s::bigint[], %(changes)s::bigint[], %(hashes)s::bytea[]) AS u (id, change_number, hash),
           LATERAL (SELECT ctid AS place, * FROM files WHERE repository_id = %(repository)s AND id = u.id OFFSET 0) AS f
     WHERE f.state = 0 AND f.scan_phase = 1 AND f.change_number = u.change_number AND f.content_hash IS NOT NULL
)
UPDATE files AS f SET read_at = now() FROM same s WHERE f.ctid = s.place
RETURNING f.id, f.content_hash = s.hash

-- name: mark
INSERT INTO file_corruption AS k (repository_id, file_id, ctime_ns, found_hash, recorded_hash)
SELECT %(repository)s, u.id, u.ctime_ns, u.hash, u.recorded
  FROM unnest(%(ids)s::bigint[], %(ctimes)s::bigint[], %(hashes)s::bytea[], %(recorded)s::bytea[])
       AS u (id, ctime_ns, hash, recorded)
ON CONFLICT (repository_id, file_id) DO UPDATE SET found_hash = excluded.found_hash, ctime_ns = excluded.ctime_ns
 WHERE k.found_hash <> excluded.found_hash
RETURNING file_id

-- name: clear
DELETE FROM file_corruption WHERE repository_id = %s AND file_id = ANY(%s::bigint[]) RETURNING file_id

-- name: number
UPDATE files SET change_number = %s, updated_at = now() WHERE repository_id = %s AND id = ANY(%s::bigint[])

-- name: accept
WITH accepted AS (
    DELETE FROM file_corruption k
     USING files f, directories d
     WHERE k.repository_id = %(repository)s AND f.repository_id = k.repository_id AND f.id = k.file_id
       AND f.state = 0 AND f.content_hash IS NOT NULL
       AND d.repository_id = f.repository_id AND d.id = f.directory_id
       AND (%(file)s::bigint IS NULL OR f.id = %(file)s)
       AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
    RETURNING k.file_id, k.found_hash
)
UPDATE files f SET content_hash = a.found_hash, change_number = %(change)s, updated_at = now()
  FROM accepted a WHERE f.repository_id = %(repository)s AND f.id = a.file_id
RETURNING f.id

-- name: corrupt
SELECT file_path, file_size, content_hash, found_hash, found_at
  FROM corrupt_files WHERE repository_id = %s ORDER BY found_at DESC, file_path LIMIT %s

-- name: corrupt_file
SELECT found_hash, found_at FROM corrupt_files WHERE repository_id = %s AND file_id = %s

-- name: count
SELECT count(*)
  FROM file_corruption k
 CROSS JOIN LATERAL (SELECT * FROM files WHERE repository_id = k.repository_id AND id = k.file_id OFFSET 0) AS f
 WHERE k.repository_id = %s AND f.state = 0 AND f.content_hash IS NOT NULL

-- name: unread
SELECT count(*), coalesce(sum(f.size), 0)::bigint,
       count(*) FILTER (WHERE c.lease_expires_at > now()),
       count(*) FILTER (WHERE c.lease_expires_at IS NULL AND (c.quarantined_at IS NOT NULL OR c.retry_at > now()))
  FROM files f
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  LEFT JOIN deep_scan_claims c ON c.repository_id = f.repository_id AND c.file_id = f.id
 WHERE f.repository_id = %(repository)s AND f.state = 0 AND f.scan_phase = 1 AND f.content_hash IS NOT NULL
   AND f.read_at < coalesce(%(before)s::timestamptz, 'infinity')
   AND (%(file)s::bigint IS NULL OR f.id = %(file)s)
   AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
   AND (%(everywhere)s
        OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
             WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
             ORDER BY length(p.path) DESC LIMIT 1))
