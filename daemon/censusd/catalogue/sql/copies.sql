-- name: duplicates
WITH same AS MATERIALIZED (
    SELECT f.content_hash, f.size
      FROM files f
     WHERE f.repository_id = ANY(%(repositories)s::uuid[]) AND f.state = 0 AND f.scan_phase = 1
       AND f.content_hash IS NOT NULL AND f.size > 0
       AND (%(below)s::text IS NULL
            OR EXISTS (SELECT FROM directories d WHERE d.repository_id = f.repository_id AND d.id = f.directory_id
                          AND (d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))))
     GROUP BY f.content_hash, f.size HAVING count(*) > 1
), placed AS (
    -- Names of one file have its device and inode in common; where a file system has no inode numbers, each is a file.
    SELECT s.content_hash, s.size, CASE f.inode WHEN 0 THEN 'row ' || f.id ELSE d.device || ' ' || f.inode END AS file
      FROM same s
      JOIN files f ON f.content_hash = s.content_hash AND f.size = s.size
       AND f.repository_id = ANY(%(repositories)s::uuid[]) AND f.state = 0 AND f.scan_phase = 1
      JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
     WHERE (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
       AND NOT EXISTS (SELECT FROM file_corruption k WHERE k.repository_id = f.repository_id AND k.file_id = f.id)
), counted AS (
    SELECT content_hash, size, count(*) AS names, count(DISTINCT file) AS copies,
           size * (count(DISTINCT file) - 1) AS freed
      FROM placed GROUP BY content_hash, size HAVING count(DISTINCT file) > 1
), totals AS (
    SELECT *, count(*) OVER () AS groups, sum(freed) OVER ()::bigint AS all_freed FROM counted
)
SELECT content_hash, size, names, copies, freed, groups, all_freed FROM totals
 WHERE %(freed)s::bigint IS NULL OR freed < %(freed)s OR freed = %(freed)s AND content_hash > %(hash)s
 ORDER BY freed DESC, content_hash LIMIT %(most)s

-- name: members
SELECT u.hash, f.*
  FROM unnest(%(hashes)s::bytea[], %(sizes)s::bigint[]) AS u (hash, size),
       LATERAL (SELECT r.name, CASE d.path WHEN '' THEN f.name ELSE d.path || '/' || f.name END AS path,
                       CASE f.inode WHEN 0 THEN 'row ' || f.id ELSE d.device || ' ' || f.inode END AS file
                  FROM files f
                  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
                  JOIN repositories r ON r.id = f.repository_id
                 WHERE f.repository_id = ANY(%(repositories)s::uuid[]) AND f.content_hash = u.hash AND f.size = u.size
                   AND f.state = 0 AND f.scan_phase = 1
                   AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
                   AND NOT EXISTS (SELECT FROM file_corruption k
                                    WHERE k.repository_id = f.repository_id AND k.file_id = f.id)
                 ORDER BY r.name, d.path, f.name LIMIT %(most)s) AS f

-- name: unhashed
SELECT count(*), coalesce(sum(f.size), 0)::bigint
  FROM files f
 WHERE f.repository_id = ANY(%(repositories)s::uuid[]) AND f.state = 0 AND f.size > 0
   AND (f.scan_phase = 0 OR f.content_hash IS NULL)
   AND (%(below)s::text IS NULL
        OR EXISTS (SELECT FROM directories d WHERE d.repository_id = f.repository_id AND d.id = f.directory_id
                      AND (d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))))

-- name: collations
SELECT collname FROM pg_collation WHERE collname = ANY(%s) AND collencoding IN (-1, 6)

-- name: look_alikes
-- ASCII names, which are nearly all, need no normalising; which collation knows other letters depends on the server.
SELECT g.directory_id, g.fold, d.path, g.names
  FROM (SELECT directory_id, fold, (array_agg(name ORDER BY name))[1:%(most_names)s] AS names
          FROM (SELECT directory_id, name,
                       CASE WHEN octet_length(name) = length(name) THEN lower(name COLLATE "C")
                            ELSE lower(normalize(name, NFC) COLLATE "C.utf8") COLLATE "C" END AS fold
                  FROM (SELECT directory_id, name FROM files WHERE repository_id = %(repository)s AND state = 0
                         UNION ALL
                        SELECT parent_id, name FROM directories
                         WHERE repository_id = %(repository)s AND state = 0 AND parent_id <> 0) n
                 WHERE directory_id >= %(directory)s) folded
         GROUP BY directory_id, fold HAVING count(*) > 1) g
  JOIN directories d ON d.repository_id = %(repository)s AND d.id = g.directory_id
 WHERE (g.directory_id, g.fold) > (%(directory)s, %(after)s COLLATE "C")
   AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
 ORDER BY g.directory_id, g.fold LIMIT %(most)s

-- name: candidates
-- What may be a conflict copy; whether it is one, its name tells more exactly than this.
SELECT f.directory_id, f.name, d.path
  FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE f.repository_id = %(repository)s AND f.state = 0
   AND (f.directory_id, f.name) > (%(directory)s, %(after)s COLLATE "C")
   AND f.name ~* 'conflict|case clash from|\.variant-[0-9a-f]{4}| \([0-9]{1,3}\)(\.|$)|-(desktop|laptop)-|\.\.path[12]$'
   AND (%(below)s::text IS NULL OR d.path = %(below)s OR starts_with(d.path, %(below)s || '/'))
 ORDER BY f.directory_id, f.name LIMIT %(most)s
