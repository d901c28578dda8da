-- name: queues
-- The conditions are those of the statement that claims files: see deep_queue.sql. What is done about a file is asked
-- once for each directory, of which there are fewer.
SELECT CASE cardinality(%(places)s::text[]) WHEN 1 THEN (%(strategies)s::text[])[1]
            ELSE (SELECT p.strategy
                    FROM unnest(%(places)s::text[], %(strategies)s::text[]) AS p (path, strategy)
                   WHERE p.path IN ('', d.path) OR starts_with(d.path, p.path || '/')
                   ORDER BY length(p.path) DESC LIMIT 1) END AS strategy,
       q.standing, sum(q.files)::bigint, sum(q.bytes)::bigint
  FROM (SELECT f.directory_id, count(*) AS files, sum(f.size)::bigint AS bytes,
               CASE WHEN c.file_id IS NULL THEN 'waiting'
                    WHEN c.lease_expires_at >= now() THEN 'taken'
                    WHEN c.put_off >= %(lost_often)s
                         AND c.lease_expires_at
                             + make_interval(secs => %(lost_delay)s * power(2, c.put_off - %(lost_often)s)) >= now()
                    THEN 'later'
                    WHEN c.quarantined_at IS NOT NULL AND c.change_number >= f.change_number THEN 'given_up'
                    WHEN c.retry_at > now() AND (c.change_number >= f.change_number OR c.put_off >= 8) THEN 'later'
                    ELSE 'waiting' END AS standing
          FROM files f
          LEFT JOIN deep_scan_claims c ON c.repository_id = f.repository_id AND c.file_id = f.id
         WHERE f.repository_id = %(repository)s AND f.scan_phase = 0 AND f.state = 0
           AND (%(file)s::bigint IS NULL OR f.id = %(file)s)
         GROUP BY f.directory_id, standing
       ) q
 CROSS JOIN LATERAL (SELECT path FROM directories
                      WHERE repository_id = %(repository)s AND id = q.directory_id OFFSET 0) AS d
 WHERE %(below)s::text = '' OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/')
 GROUP BY strategy, q.standing

-- name: workers
SELECT worker, count(*) FROM deep_scan_claims WHERE lease_expires_at > now() GROUP BY worker ORDER BY worker

-- name: failures
SELECT CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END, f.size, c.attempts, c.last_error,
       c.quarantined_at, c.retry_at
  FROM deep_scan_claims c
  JOIN files f ON f.repository_id = c.repository_id AND f.id = c.file_id
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE c.repository_id = %s AND c.change_number >= f.change_number AND f.state = 0
   AND (c.quarantined_at IS NOT NULL OR c.attempts > 0)
 ORDER BY c.quarantined_at IS NULL, d.path, f.name LIMIT %s

-- name: attempt
SELECT c.attempts, c.put_off, c.last_error, c.quarantined_at, c.retry_at,
       CASE WHEN c.lease_expires_at > now() THEN c.worker END
  FROM deep_scan_claims c
  JOIN files f ON f.repository_id = c.repository_id AND f.id = c.file_id
 WHERE c.repository_id = %s AND c.file_id = %s AND (c.change_number >= f.change_number OR c.lease_expires_at > now())

-- name: of_file
SELECT m.kind, m.mime_type, m.title, m.width, m.height, m.duration, m.pages, m.created, m.language, m.latitude,
       m.longitude, m.details, m.extractor, m.extractor_version, m.extracted_at, m.problem
  FROM file_metadata m WHERE m.repository_id = %s AND m.file_id = %s

-- name: relations_of_file
SELECT e.kind, e.name, l.role, l.position
  FROM file_entities l JOIN entities e ON e.repository_id = l.repository_id AND e.id = l.entity_id
 WHERE l.repository_id = %s AND l.file_id = %s ORDER BY e.kind, l.role, l.position, e.name

-- name: sample
-- From both ends of the key, which costs nothing and is seldom one directory.
SELECT * FROM (
    (SELECT d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode
       FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
      WHERE f.repository_id = %(repository)s AND f.state = 0
        AND (%(below)s::text = '' OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
      ORDER BY f.id LIMIT %(most)s)
    UNION
    (SELECT d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode
       FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
      WHERE f.repository_id = %(repository)s AND f.state = 0
        AND (%(below)s::text = '' OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
      ORDER BY f.id DESC LIMIT %(most)s)
) s
