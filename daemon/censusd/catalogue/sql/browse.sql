-- name: entries
(SELECT 'directory' AS kind, name, NULL::bigint AS size, NULL::bigint AS mtime_ns, NULL::smallint AS scan_phase,
        NULL AS content_hash, problem
   FROM directories
  WHERE repository_id = %(repository)s AND parent_id = %(directory)s AND name > %(after)s AND state = 0
  ORDER BY name LIMIT %(most)s)
UNION ALL
(SELECT 'file', name, size, mtime_ns, scan_phase, encode(content_hash, 'hex'), NULL
   FROM files
  WHERE repository_id = %(repository)s AND directory_id = %(directory)s AND name > %(after)s AND state = 0
  ORDER BY name LIMIT %(most)s)
ORDER BY name LIMIT %(most)s

-- name: directories_at
SELECT d.id, d.parent_id, d.path, d.state, d.device, d.inode, d.birth_ns, d.change_number, d.listed_at,
       CASE WHEN d.unseen OR d.problem IS NOT NULL THEN d.listed_at ELSE greatest(d.listed_at, r.last_pass_at) END,
       d.missing_since, d.unseen, d.problem_kind, d.problem, d.problem_since,
       (SELECT count(*) FROM directories c
         WHERE c.repository_id = d.repository_id AND c.parent_id = d.id AND c.state = 0 AND c.id <> d.id),
       f.number, f.bytes
  FROM directories d
  JOIN repositories r ON r.id = d.repository_id
 CROSS JOIN LATERAL (SELECT count(*) AS number, coalesce(sum(size), 0)::bigint AS bytes FROM files
                      WHERE repository_id = d.repository_id AND directory_id = d.id AND state = 0) f
 WHERE d.repository_id = %(repository)s AND d.path = %(path)s
 ORDER BY d.state = 1, d.missing_since DESC, d.id DESC LIMIT %(most)s

-- name: files_at
SELECT f.id, f.directory_id, CASE d.path WHEN '' THEN '' ELSE d.path || '/' END || split_part(f.name, '/', 1),
       f.state, f.size, f.mtime_ns, f.ctime_ns, d.device, f.inode, f.links, f.scan_phase, encode(f.content_hash, 'hex'),
       f.change_number, f.created_at, f.updated_at,
       CASE WHEN d.unseen OR d.problem IS NOT NULL THEN d.listed_at ELSE greatest(d.listed_at, r.last_pass_at) END,
       f.missing_since
  FROM directories d
  JOIN repositories r ON r.id = d.repository_id
  JOIN files f ON f.repository_id = d.repository_id AND f.directory_id = d.id
   -- A missing file whose place was taken is named "name/id". In byte order that lies between "name" and "name0", as
   -- do a few others: the range is what the index looks up.
   AND f.name >= %(name)s AND f.name < %(name)s || '0'
   AND (f.name = %(name)s OR f.name > %(name)s || '/' AND f.state = 1)
 WHERE d.repository_id = %(repository)s AND d.path = %(directory)s
 ORDER BY f.state = 1, d.state = 1, f.missing_since DESC, f.id DESC LIMIT %(most)s
