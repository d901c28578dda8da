-- name: overview
SELECT r.id, r.name, r.state, r.change_number,
       EXISTS (SELECT FROM sync_operations o WHERE o.repository_id = r.id AND o.status = 'running'
                  AND o.operation_type IN ('quick_scan', 'reconciliation', 'verify')),
       (SELECT extract(epoch FROM now() - max(o.end_time))::float8 FROM sync_operations o
         WHERE o.repository_id = r.id AND o.start_time > now() - interval '1 hour'
           -- What has ended in the future, ended before the clock was put back.
           AND o.end_time < now() + interval '1 minute'
           AND o.operation_type IN ('realtime', 'quick_scan', 'reconciliation', 'verify'))
  FROM repositories r WHERE r.name = ANY(%s::text[])

-- name: claim
-- LATERAL with OFFSET 0, here and below: one look into an index for each file, whatever the planner's statistics say.
-- After a first scan they say nothing, and a join would read the whole repository for each batch.
WITH wanted AS (
    SELECT f.id, d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.change_number
      FROM files f
     CROSS JOIN LATERAL (SELECT path FROM directories
                          WHERE repository_id = f.repository_id AND id = f.directory_id OFFSET 0) AS d
      LEFT JOIN LATERAL (SELECT * FROM deep_scan_claims
                          WHERE repository_id = f.repository_id AND file_id = f.id OFFSET 0) AS c ON true
     WHERE f.repository_id = %(repository)s AND f.scan_phase = 0 AND f.state = 0
       AND f.change_number > %(after)s AND f.change_number <= %(until)s AND f.size <= %(largest)s
       AND (c.file_id IS NULL
            OR (c.lease_expires_at IS NULL
                OR c.lease_expires_at + make_interval(secs => CASE WHEN c.put_off < %(lost_often)s THEN 0
                       ELSE %(lost_delay)s * power(2, c.put_off - %(lost_often)s) END) < now())
               AND (c.quarantined_at IS NULL OR c.change_number < f.change_number)
               AND (c.retry_at IS NULL OR c.retry_at < now() OR c.change_number < f.change_number AND c.put_off < 8
                    -- The clock has been put back since.
                    OR c.claimed_at > now()))
       AND (%(file)s::bigint IS NULL OR f.id = %(file)s) AND f.id <> ALL(%(without)s::bigint[])
       AND (%(below)s::text[] IS NULL
            OR EXISTS (SELECT FROM unnest(%(below)s::text[]) p WHERE d.path = p OR starts_with(d.path, p || '/')))
       AND (%(everywhere)s
            OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
                 WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
                 ORDER BY length(p.path) DESC LIMIT 1))
     ORDER BY f.change_number DESC
     LIMIT %(most)s
       FOR NO KEY UPDATE OF f SKIP LOCKED
), claimed AS (
    INSERT INTO deep_scan_claims AS c (repository_id, file_id, change_number, claimed_at, lease_expires_at, worker)
    SELECT %(repository)s, id, change_number, now(), now() + make_interval(secs => %(lease)s), %(worker)s FROM wanted
    ON CONFLICT (repository_id, file_id) DO UPDATE
       SET change_number = excluded.change_number, claimed_at = excluded.claimed_at, retry_at = NULL,
           lease_expires_at = excluded.lease_expires_at, worker = excluded.worker,
           keeps_hash = c.keeps_hash AND c.change_number = excluded.change_number,
           attempts = CASE WHEN c.change_number = excluded.change_number THEN c.attempts ELSE 0 END,
           -- A lease that ran out is the trace of a worker that died.
           put_off = CASE WHEN c.lease_expires_at IS NOT NULL THEN least(c.put_off + 1, 12) ELSE c.put_off END,
           last_error = CASE WHEN c.lease_expires_at IS NOT NULL THEN 'its worker ended without a word'
                             WHEN c.change_number = excluded.change_number THEN c.last_error END,
           quarantined_at = NULL
     -- Somebody else may have claimed it after this statement began, and be done with locking its row.
     WHERE c.lease_expires_at IS NULL OR c.lease_expires_at < now()
    RETURNING file_id, attempts, keeps_hash
)
SELECT w.id, w.path, w.name, w.size, w.mtime_ns, w.ctime_ns, w.inode, w.change_number, c.attempts, c.keeps_hash
  FROM wanted w LEFT JOIN claimed c ON c.file_id = w.id,
       -- Should the server forget a claim in a crash, something is looked at twice: no reason to wait for the disk.
       (SELECT set_config('synchronous_commit', 'off', true)) AS in_no_hurry
 ORDER BY w.change_number DESC

-- name: oldest
SELECT extract(epoch FROM now() - f.updated_at)::float8
  FROM files f
 CROSS JOIN LATERAL (SELECT path FROM directories
                      WHERE repository_id = f.repository_id AND id = f.directory_id OFFSET 0) AS d
  LEFT JOIN LATERAL (SELECT * FROM deep_scan_claims
                      WHERE repository_id = f.repository_id AND file_id = f.id OFFSET 0) AS c ON true
 WHERE f.repository_id = %(repository)s AND f.scan_phase = 0 AND f.state = 0
   -- What was let go of waits as well as what nobody was at; what has failed waits for another reason.
   AND (c.file_id IS NULL OR c.lease_expires_at IS NULL AND c.attempts + c.put_off = 0)
   AND (%(everywhere)s
        OR (SELECT p.wanted FROM unnest(%(places)s::text[], %(wanted)s::boolean[]) AS p (path, wanted)
             WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
             ORDER BY length(p.path) DESC LIMIT 1))
 ORDER BY f.change_number LIMIT 1

-- name: complete
-- By place on disk, which does not change under the repository's lock. A file that was found corrupt stays so while it
-- holds what was found then, unless somebody has written it since; that its inode was changed (its mode, its names) says
-- nothing of its content.
WITH same AS MATERIALIZED (
    SELECT f.place, f.id, f.ctime_ns, u.hash, u.keeps, k.file_id IS NOT NULL AND NOT u.keeps AS marked,
           coalesce(NOT u.keeps AND f.content_hash <> u.hash AND k.found_hash = u.hash AND k.ctime_ns <> f.ctime_ns,
                    false) AS corrupt,
           coalesce(k.recorded_hash = u.hash, false) AS restored
      FROM unnest(%(ids)s::bigint[], %(changes)s::bigint[], %(sizes)s::bigint[], %(mtimes)s::bigint[],
                  %(ctimes)s::bigint[], %(inodes)s::bigint[], %(hashes)s::bytea[], %(keeps)s::boolean[])
           AS u (id, change_number, size, mtime_ns, ctime_ns, inode, hash, keeps)
     CROSS JOIN LATERAL (SELECT ctid AS place, * FROM files
                          WHERE repository_id = %(repository)s AND id = u.id OFFSET 0) AS f
      LEFT JOIN LATERAL (SELECT * FROM file_corruption
                          WHERE repository_id = %(repository)s AND file_id = u.id OFFSET 0) AS k ON true
     WHERE f.state = 0 AND f.scan_phase = 0 AND f.change_number = u.change_number AND f.size = u.size
       AND f.mtime_ns = u.mtime_ns AND f.ctime_ns = u.ctime_ns AND f.inode = u.inode
), cleared AS (
    DELETE FROM file_corruption k USING same s
     WHERE k.repository_id = %(repository)s AND k.file_id = s.id AND s.marked AND NOT s.corrupt
), confirmed AS (
    UPDATE file_corruption k SET ctime_ns = s.ctime_ns FROM same s
     WHERE k.repository_id = %(repository)s AND k.file_id = s.id AND s.corrupt
)
UPDATE files AS f
   SET content_hash = CASE WHEN s.keeps OR s.corrupt THEN f.content_hash ELSE s.hash END, scan_phase = 1,
       read_at = CASE WHEN s.hash IS NULL THEN f.read_at ELSE now() END,
       change_number = %(change)s, updated_at = now()
  FROM same s WHERE f.ctid = s.place
RETURNING f.id, s.corrupt, s.marked AND NOT s.corrupt, s.restored

-- name: let_go
UPDATE deep_scan_claims SET worker = NULL, lease_expires_at = NULL
 WHERE repository_id = %s AND file_id = ANY(%s::bigint[]) AND worker = %s

-- name: let_go_of_others
UPDATE deep_scan_claims c SET worker = NULL, lease_expires_at = NULL
 WHERE c.worker = %(worker)s AND c.lease_expires_at > now()
   AND NOT EXISTS (SELECT FROM unnest(%(repositories)s::uuid[], %(ids)s::bigint[]) AS held (repository_id, file_id)
                    WHERE held.repository_id = c.repository_id AND held.file_id = c.file_id)

-- name: finish
DELETE FROM deep_scan_claims WHERE repository_id = %s AND file_id = ANY(%s::bigint[]) AND worker = %s

-- name: put_off
UPDATE deep_scan_claims
   SET worker = NULL, lease_expires_at = NULL, put_off = least(put_off + 1, 12), last_error = u.reason,
       retry_at = now() + make_interval(secs => %(delay)s * power(2, least(put_off, 11)))
  FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS u (id, reason)
 WHERE repository_id = %(repository)s AND file_id = u.id AND worker = %(worker)s

-- name: fail
UPDATE deep_scan_claims
   SET worker = NULL, lease_expires_at = NULL, attempts = attempts + 1, last_error = u.reason,
       retry_at = now() + make_interval(secs => %(delay)s * power(12, attempts)),
       quarantined_at = CASE WHEN attempts + 1 >= %(most)s THEN now() END
  FROM unnest(%(ids)s::bigint[], %(reasons)s::text[]) AS u (id, reason)
 WHERE repository_id = %(repository)s AND file_id = u.id AND worker = %(worker)s
RETURNING file_id, quarantined_at IS NOT NULL

-- name: renew
UPDATE deep_scan_claims SET lease_expires_at = now() + make_interval(secs => %s)
 WHERE repository_id = %s AND file_id = ANY(%s::bigint[]) AND worker = %s

-- name: workers
SELECT DISTINCT worker FROM deep_scan_claims WHERE worker IS NOT NULL AND lease_expires_at > now()

-- name: expire
UPDATE deep_scan_claims SET lease_expires_at = now() - interval '1 second'
 WHERE worker = ANY(%s::text[]) AND lease_expires_at > now()
       -- None is granted for so long: the clock has been put back since.
       OR lease_expires_at > now() + interval '1 hour'

-- name: retry
UPDATE deep_scan_claims c
   SET attempts = 0, put_off = 0, retry_at = NULL, quarantined_at = NULL, last_error = NULL
  FROM files f, directories d
 WHERE c.repository_id = %(repository)s AND c.lease_expires_at IS NULL AND c.attempts + c.put_off > 0
   AND f.repository_id = c.repository_id AND f.id = c.file_id
   AND d.repository_id = f.repository_id AND d.id = f.directory_id
   AND (%(path)s = '' OR d.path = %(path)s OR starts_with(d.path, %(path)s || '/')
        OR CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END = %(path)s)

-- name: count
-- What was given up and has changed, or has gone, since then is no problem any more.
SELECT (SELECT count(*)
          FROM deep_scan_claims c
         CROSS JOIN LATERAL (SELECT * FROM files
                              WHERE repository_id = c.repository_id AND id = c.file_id OFFSET 0) AS f
         WHERE c.repository_id = %(repository)s AND c.quarantined_at IS NOT NULL AND f.state = 0
           AND f.change_number = c.change_number),
       (SELECT count(*) FROM deep_scan_claims WHERE repository_id = %(repository)s AND lease_expires_at > now())
