-- name: columns_children
SELECT id, parent_id, name, path, device, inode, birth_ns, state, digest, unseen OR problem IS NOT NULL
  FROM directories WHERE repository_id = %s AND parent_id = ANY(%s::bigint[])

-- name: by_path
SELECT id, parent_id, name, path, device, inode, birth_ns, state, digest, unseen OR problem IS NOT NULL
  FROM directories WHERE repository_id = %s AND path = ANY(%s::text[]) AND state = 0

-- name: by_inode
SELECT id, parent_id, name, path, device, inode, birth_ns, state, digest, unseen OR problem IS NOT NULL
  FROM directories WHERE repository_id = %s AND inode = ANY(%s::bigint[]) AND inode <> 0 AND state <> 2

-- name: by_id
SELECT id, parent_id, name, path, device, inode, birth_ns, state, digest, unseen OR problem IS NOT NULL
  FROM directories WHERE repository_id = %s AND id = ANY(%s::bigint[])

-- name: tops
SELECT d.path, d.device, d.inode, d.birth_ns
  FROM directories d LEFT JOIN directories p ON p.repository_id = d.repository_id AND p.id = d.parent_id
 WHERE d.repository_id = %s AND d.state = 0 AND d.device <> 0 AND d.device IS DISTINCT FROM p.device
 ORDER BY d.id LIMIT %s

-- name: renumber
UPDATE directories d SET device = u.new FROM unnest(%s::bigint[], %s::bigint[]) AS u (old, new)
 WHERE d.repository_id = %s AND d.device = u.old

-- name: allocate
SELECT nextval('directory_ids') FROM generate_series(1, %s)

-- name: insert
INSERT INTO directories (repository_id, change_number, id, parent_id, name, path, inode)
SELECT %s, %s, * FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[])

-- name: listed
UPDATE directories AS d
   SET device = u.device, inode = u.inode, birth_ns = u.birth_ns, digest = u.digest, listed_at = %(seen_at)s,
       scan_generation = %(generation)s, unseen = false, problem = NULL, problem_kind = NULL, problem_since = NULL
  FROM unnest(%(ids)s::bigint[], %(devices)s::bigint[], %(inodes)s::bigint[], %(births)s::bigint[],
              %(digests)s::bytea[]) AS u (id, device, inode, birth_ns, digest)
 WHERE d.repository_id = %(repository)s AND d.id = u.id

-- name: forget_digests
UPDATE directories SET digest = NULL WHERE repository_id = %s AND id = ANY(%s::bigint[]) AND digest IS NOT NULL

-- name: set_digests
UPDATE directories AS d SET digest = u.digest
  FROM unnest(%s::bigint[], %s::bytea[]) AS u (id, digest)
 WHERE d.repository_id = %s AND d.id = u.id

-- name: trouble
-- The last complete pass has seen it, even if there was nothing to write; later ones will not have.
UPDATE directories AS d
   SET problem = u.problem, problem_kind = u.kind, problem_since = coalesce(d.problem_since, now()), digest = NULL,
       listed_at = CASE WHEN d.unseen OR d.problem IS NOT NULL OR d.listed_at IS NULL THEN d.listed_at
                        ELSE greatest(d.listed_at, r.last_pass_at) END,
       scan_generation = CASE WHEN d.unseen OR d.problem IS NOT NULL OR d.listed_at IS NULL THEN d.scan_generation
                              ELSE greatest(d.scan_generation, r.scan_generation) END
  FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u (id, kind, problem), repositories r
 WHERE d.repository_id = %s AND d.id = u.id AND r.id = d.repository_id

-- Here and below: UNION, not UNION ALL. It counts nothing twice, and ends whatever the rows say, even of a directory that
-- is in itself.

-- name: unseen_below
WITH RECURSIVE below AS (
    SELECT id FROM directories WHERE repository_id = %(repository)s AND parent_id = ANY(%(ids)s::bigint[]) AND state = 0
    UNION
    SELECT d.id FROM directories d JOIN below ON d.parent_id = below.id
     WHERE d.repository_id = %(repository)s AND d.state = 0
)
UPDATE directories d
   SET unseen = true,
       listed_at = CASE WHEN d.problem IS NOT NULL OR d.listed_at IS NULL THEN d.listed_at
                        ELSE greatest(d.listed_at, r.last_pass_at) END,
       scan_generation = CASE WHEN d.problem IS NOT NULL OR d.listed_at IS NULL THEN d.scan_generation
                              ELSE greatest(d.scan_generation, r.scan_generation) END
  FROM below, repositories r
 WHERE d.repository_id = %(repository)s AND d.id = below.id AND NOT d.unseen AND r.id = d.repository_id

-- name: displace
UPDATE directories SET name = name || '/' || id, change_number = %s
 WHERE repository_id = %s AND parent_id = %s AND name = %s

-- name: move
UPDATE directories SET parent_id = %s, name = %s, change_number = %s WHERE repository_id = %s AND id = %s

-- name: move_paths
WITH RECURSIVE below AS (
    SELECT id FROM directories WHERE repository_id = %(repository)s AND id = %(id)s
    UNION
    SELECT d.id FROM directories d JOIN below ON d.parent_id = below.id WHERE d.repository_id = %(repository)s
)
UPDATE directories d SET path = %(new)s || substr(d.path, length(top.path) + 1), change_number = %(change)s,
       digest = CASE WHEN %(restore)s THEN NULL ELSE d.digest END,
       state = CASE WHEN %(restore)s AND d.id = %(id)s THEN 0 ELSE d.state END,
       missing_since = CASE WHEN %(restore)s AND d.id = %(id)s THEN NULL ELSE d.missing_since END
  FROM below, directories top
 WHERE d.repository_id = %(repository)s AND d.id = below.id AND top.repository_id = d.repository_id AND top.id = %(id)s

-- name: restore
UPDATE directories SET state = 0, missing_since = NULL, digest = NULL, change_number = %s
 WHERE repository_id = %s AND id = ANY(%s::bigint[])

-- name: below
-- A path is longer than those of the directories above it.
WITH RECURSIVE below AS (
    SELECT id, path FROM directories WHERE repository_id = %(repository)s AND id = ANY(%(ids)s::bigint[])
    UNION
    SELECT d.id, d.path FROM directories d JOIN below ON d.parent_id = below.id
     WHERE d.repository_id = %(repository)s
)
SELECT id, (SELECT count(*) FROM files f
             WHERE f.repository_id = %(repository)s AND f.directory_id = below.id AND f.state <> 1)
  FROM below ORDER BY length(path) DESC

-- name: withdraw
UPDATE directories SET state = %(state)s, digest = NULL, change_number = %(change)s,
       missing_since = CASE WHEN %(state)s = 1 THEN now() END,
       unseen = false, problem = NULL, problem_kind = NULL, problem_since = NULL
 WHERE repository_id = %(repository)s AND id = ANY(%(ids)s::bigint[]) AND state NOT IN (1, %(state)s)

-- name: orphans
SELECT d.id
  FROM directories d LEFT JOIN directories p ON p.repository_id = d.repository_id AND p.id = d.parent_id
 WHERE d.repository_id = %s AND d.state = 0 AND d.parent_id <> 0 AND (p.id IS NULL OR p.state = 1) LIMIT %s

-- name: files_below
WITH RECURSIVE below AS (
    SELECT id FROM directories WHERE repository_id = %(repository)s AND id = ANY(%(ids)s::bigint[])
    UNION
    SELECT d.id FROM directories d JOIN below ON d.parent_id = below.id WHERE d.repository_id = %(repository)s
)
SELECT count(*) FROM files f JOIN below ON f.directory_id = below.id
 WHERE f.repository_id = %(repository)s AND f.state = 0

-- name: troubled
SELECT path FROM directories
 WHERE repository_id = %s AND problem IS NOT NULL AND state = 0 AND path >= %s ORDER BY path LIMIT %s

-- name: problems
SELECT path, problem_kind, problem, problem_since, listed_at FROM directories
 WHERE repository_id = %s AND problem IS NOT NULL AND state = 0 ORDER BY path LIMIT %s

-- name: count
SELECT count(*), count(problem) FROM directories WHERE repository_id = %s AND state = 0

-- name: outlast_jump
UPDATE directories SET missing_since = least(missing_since + make_interval(secs => greatest(%(jump)s, 0)), now())
 WHERE repository_id = %(repository)s AND state = 1

-- name: purge
DELETE FROM directories d
 WHERE repository_id = %(repository)s AND id = ANY(ARRAY(
       SELECT id FROM directories m WHERE repository_id = %(repository)s AND state = 1
          AND missing_since < now() - make_interval(secs => %(grace)s)
          AND NOT EXISTS (SELECT FROM directories c WHERE c.repository_id = m.repository_id AND c.parent_id = m.id)
          AND NOT EXISTS (SELECT FROM files f WHERE f.repository_id = m.repository_id AND f.directory_id = m.id)
        LIMIT %(most)s))
