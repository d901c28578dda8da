-- name: twins
WITH found AS (
    SELECT DISTINCT content_hash FROM files
     WHERE repository_id = %(repository)s AND change_number > %(after)s AND change_number <= %(until)s
       AND content_hash IS NOT NULL AND size > 0 AND (state = 1 OR state = 0 AND scan_phase = 1)
), gone AS (
    SELECT f.content_hash, f.size, min(f.id) AS id, min(f.missing_since) AS since
      FROM files f JOIN found USING (content_hash)
     WHERE f.repository_id = %(repository)s AND f.state = 1 AND f.size > 0
     GROUP BY f.content_hash, f.size HAVING count(*) = 1
)
SELECT gone.id, min(f.id)
  FROM gone JOIN files f ON f.content_hash = gone.content_hash AND f.size = gone.size
 WHERE f.repository_id = %(repository)s AND f.state = 0 AND f.scan_phase = 1
   AND f.created_at > gone.since - make_interval(secs => %(before)s)
 GROUP BY gone.id HAVING count(*) = 1 LIMIT %(most)s

-- name: certain
SELECT gone.id, found.id, found.directory_id, found.name, found.size, found.mtime_ns, found.ctime_ns, found.inode,
       found.links
  FROM unnest(%(gone)s::bigint[], %(found)s::bigint[]) AS u (gone, found)
  JOIN files gone ON gone.repository_id = %(repository)s AND gone.id = u.gone AND gone.state = 1 AND gone.size > 0
  JOIN files found ON found.repository_id = gone.repository_id AND found.id = u.found AND found.state = 0
   AND found.scan_phase = 1 AND found.content_hash = gone.content_hash AND found.size = gone.size
   AND found.created_at > gone.missing_since - make_interval(secs => %(before)s)
 WHERE NOT EXISTS (
       SELECT FROM files other
        WHERE other.repository_id = gone.repository_id AND other.content_hash = gone.content_hash
          AND other.size = gone.size AND other.id NOT IN (gone.id, found.id)
          AND (other.state = 1
               OR other.state = 0 AND other.created_at > gone.missing_since - make_interval(secs => %(before)s)))

-- name: forget_claims
DELETE FROM deep_scan_claims WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: forget_corruption
DELETE FROM file_corruption WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: forget_metadata
DELETE FROM file_metadata WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: forget_relations
DELETE FROM file_entities WHERE repository_id = %s AND file_id = ANY(%s::bigint[])

-- name: hand_metadata_over
UPDATE file_metadata m SET file_id = u.gone FROM unnest(%s::bigint[], %s::bigint[]) AS u (gone, found)
 WHERE m.repository_id = %s AND m.file_id = u.found

-- name: hand_relations_over
UPDATE file_entities l SET file_id = u.gone FROM unnest(%s::bigint[], %s::bigint[]) AS u (gone, found)
 WHERE l.repository_id = %s AND l.file_id = u.found

-- name: hand_corruption_over
UPDATE file_corruption k SET file_id = u.gone FROM unnest(%s::bigint[], %s::bigint[]) AS u (gone, found)
 WHERE k.repository_id = %s AND k.file_id = u.found

-- name: remove
DELETE FROM files WHERE repository_id = %s AND id = ANY(%s::bigint[])

-- name: settle
UPDATE files f
   SET directory_id = u.directory_id, name = u.name, size = u.size, mtime_ns = u.mtime_ns, ctime_ns = u.ctime_ns,
       inode = u.inode, links = u.links, state = 0, scan_phase = 1, missing_since = NULL, change_number = %(change)s,
       updated_at = now()
  FROM unnest(%(ids)s::bigint[], %(directories)s::bigint[], %(names)s::text[], %(sizes)s::bigint[],
              %(mtimes)s::bigint[], %(ctimes)s::bigint[], %(inodes)s::bigint[], %(links)s::integer[])
       AS u (id, directory_id, name, size, mtime_ns, ctime_ns, inode, links)
 WHERE f.repository_id = %(repository)s AND f.id = u.id
