-- name: known
SELECT f.directory_id, f.id, f.state, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.links
  FROM unnest(%s::bigint[]) AS u (directory_id),
       LATERAL (SELECT * FROM files
                 WHERE repository_id = %s AND directory_id = u.directory_id AND state <> 1 LIMIT %s) AS f
 ORDER BY f.directory_id

-- name: known_names
-- LATERAL with LIMIT: one look into the index of places for each name, whatever the planner's statistics say. After a
-- bulk load they say nothing, and a join would read the whole repository for each name.
SELECT f.directory_id, f.id, f.state, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.links
  FROM unnest(%s::bigint[], %s::text[]) AS u (directory_id, name),
       LATERAL (SELECT * FROM files
                 WHERE repository_id = %s AND directory_id = u.directory_id AND name = u.name COLLATE "C" LIMIT 1) AS f
 ORDER BY f.directory_id

-- name: known_between
-- OFFSET 0 keeps the planner from making a join of it, for the same reason.
SELECT f.directory_id, f.id, f.state, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.links
  FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS u (directory_id, after, before),
       LATERAL (SELECT * FROM files
                 WHERE repository_id = %s AND directory_id = u.directory_id
                   AND name > u.after COLLATE "C" AND name < u.before COLLATE "C" AND state <> 1 OFFSET 0) AS f
 ORDER BY f.directory_id

-- name: names_after
SELECT name FROM files
 WHERE repository_id = %s AND directory_id = %s AND name > %s AND state <> 1 ORDER BY name LIMIT %s

-- name: by_inode
SELECT f.id, f.directory_id, d.path, f.name, f.size, f.mtime_ns, f.ctime_ns, f.inode, f.state, d.device
  FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE f.repository_id = %s AND f.inode = ANY(%s::bigint[]) AND f.inode <> 0 AND f.state <> 2

-- name: linked
SELECT f.id, d.path, f.name
  FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS u (device, inode, ctime_ns)
  JOIN files f ON f.repository_id = %s AND f.inode = u.inode
  JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id AND d.device = u.device
 WHERE f.state = 0 AND f.ctime_ns IS DISTINCT FROM u.ctime_ns

-- name: linked_elsewhere
(SELECT f.inode, d.path, f.name
   FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  WHERE f.repository_id = %(repository)s AND f.links > 1 AND f.state = 0 AND f.inode > %(after)s AND f.inode <> 0
    AND f.links > (SELECT count(*)
                     FROM files o JOIN directories e ON e.repository_id = o.repository_id AND e.id = o.directory_id
                    WHERE o.repository_id = f.repository_id AND o.inode = f.inode AND o.links > 1 AND o.state = 0
                      AND e.device = d.device)
  ORDER BY f.inode FETCH FIRST %(most)s ROWS WITH TIES)
UNION
-- What has been put off is few.
(SELECT f.inode, d.path, f.name
   FROM deep_scan_claims c
  CROSS JOIN LATERAL (SELECT * FROM files WHERE repository_id = c.repository_id AND id = c.file_id OFFSET 0) AS f
   JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
  WHERE c.repository_id = %(repository)s AND c.put_off > 0 AND c.retry_at IS NOT NULL AND f.state = 0
    AND f.scan_phase = 0 AND f.inode > %(after)s AND f.inode <> 0
  ORDER BY f.inode FETCH FIRST %(most)s ROWS WITH TIES)
ORDER BY 1 FETCH FIRST %(most)s ROWS WITH TIES

-- name: places
SELECT f.id, d.path, f.name
  FROM files f JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE f.repository_id = %s AND f.id = ANY(%s::bigint[]) AND f.state <> 1

-- name: copy
COPY files (repository_id, directory_id, size, mtime_ns, ctime_ns, inode, links, change_number, name)
FROM STDIN (FORMAT BINARY)

-- name: update
UPDATE files AS f
   SET size = u.size, mtime_ns = u.mtime_ns, ctime_ns = u.ctime_ns, inode = u.inode, links = u.links,
       state = 0, missing_since = NULL, change_number = %(change)s, updated_at = now(),
       scan_phase = CASE WHEN u.effect = 0 THEN f.scan_phase ELSE 0 END,
       content_hash = CASE WHEN u.effect = 2 THEN NULL ELSE f.content_hash END
  FROM unnest(%(ids)s::bigint[], %(sizes)s::bigint[], %(mtimes)s::bigint[], %(ctimes)s::bigint[], %(inodes)s::bigint[],
              %(links)s::integer[], %(effects)s::smallint[])
       AS u (id, size, mtime_ns, ctime_ns, inode, links, effect)
 WHERE f.repository_id = %(repository)s AND f.id = u.id

-- name: leave
UPDATE files SET name = name || '/' || id WHERE repository_id = %s AND id = ANY(%s::bigint[])

-- name: displace
UPDATE files AS f SET name = f.name || '/' || f.id, change_number = %s
  FROM unnest(%s::bigint[], %s::text[]) AS u (directory_id, name)
 WHERE f.repository_id = %s AND f.directory_id = u.directory_id AND f.name = u.name AND f.state = 1

-- name: arrive
UPDATE files AS f SET directory_id = u.directory_id, name = u.name
  FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS u (id, directory_id, name)
 WHERE f.repository_id = %s AND f.id = u.id

-- name: withdraw
UPDATE files AS f SET state = %(state)s, change_number = %(change)s, updated_at = now(),
       missing_since = CASE WHEN %(state)s = 1 THEN now() END
  FROM files old
 WHERE f.repository_id = %(repository)s AND f.id = ANY(%(ids)s::bigint[]) AND f.state NOT IN (1, %(state)s)
   AND old.repository_id = f.repository_id AND old.id = f.id
RETURNING old.state

-- name: withdraw_directories
UPDATE files AS f SET state = %(state)s, change_number = %(change)s, updated_at = now(),
       missing_since = CASE WHEN %(state)s = 1 THEN now() END
  FROM files old, directories d
 WHERE f.repository_id = %(repository)s AND f.id = ANY(ARRAY(
       SELECT id FROM files WHERE repository_id = %(repository)s AND directory_id = ANY(%(ids)s::bigint[])
          AND state NOT IN (1, %(state)s) LIMIT %(most)s))
   AND old.repository_id = f.repository_id AND old.id = f.id
   AND d.repository_id = f.repository_id AND d.id = f.directory_id
RETURNING old.state, d.device, f.inode, f.links

-- name: orphans
SELECT f.id
  FROM files f LEFT JOIN directories d ON d.repository_id = f.repository_id AND d.id = f.directory_id
 WHERE f.repository_id = %s AND f.state = 0 AND (d.id IS NULL OR d.state = 1) LIMIT %s

-- name: count_present
SELECT count(*) FROM files WHERE repository_id = %s AND state = 0

-- name: any_present
SELECT EXISTS (SELECT FROM files WHERE repository_id = %s AND state = 0)

-- name: any
SELECT EXISTS (SELECT FROM files WHERE repository_id = %s)

-- name: count
SELECT state, scan_phase, count(*), coalesce(sum(size), 0)::bigint
  FROM files WHERE repository_id = %s GROUP BY state, scan_phase

-- name: outlast_jump
-- As long ago as it was before the clock was set by so many seconds; never in the future.
UPDATE files SET missing_since = least(missing_since + make_interval(secs => greatest(%(jump)s, 0)), now())
 WHERE repository_id = %(repository)s AND state = 1

-- name: purge
DELETE FROM files
 WHERE repository_id = %(repository)s AND id = ANY(ARRAY(
       SELECT id FROM files WHERE repository_id = %(repository)s AND state = 1
          AND missing_since < now() - make_interval(secs => %(grace)s) ORDER BY missing_since LIMIT %(most)s))
