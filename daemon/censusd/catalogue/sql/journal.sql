-- name: start
INSERT INTO sync_operations (repository_id, operation_type, trigger, scope, status, lease_token)
VALUES (%s, %s, %s, %s, 'running', %s) RETURNING id

-- name: update
UPDATE sync_operations
   SET files_scanned = %(files_scanned)s, files_added = %(added)s, files_updated = %(updated)s, files_moved = %(moved)s,
       files_removed = %(removed)s, files_ignored = %(ignored)s, files_purged = %(purged)s,
       directories = %(directories)s, directories_moved = %(directories_moved)s, problems = %(problems)s,
       bytes_hashed = %(bytes_hashed)s, files_repaired = %(repaired)s, files_corrupt = %(corrupt)s,
       status = %(status)s, error_message = %(error)s,
       end_time = CASE WHEN %(status)s <> 'running' THEN clock_timestamp() END,
       duration_ms = CASE WHEN %(status)s <> 'running'
                          THEN round(extract(epoch FROM clock_timestamp() - start_time) * 1000) END
 WHERE repository_id = %(repository)s AND id = %(id)s AND status = 'running'

-- name: record
INSERT INTO sync_operations (repository_id, operation_type, trigger, scope, status, lease_token, files_scanned,
       files_added, files_updated, files_moved, files_removed, files_ignored, files_purged, directories,
       directories_moved, problems, bytes_hashed, files_repaired, files_corrupt, error_message, start_time, end_time,
       duration_ms)
SELECT %(repository)s, %(type)s, %(trigger)s, %(scope)s, %(status)s, %(token)s, %(files_scanned)s,
       %(added)s, %(updated)s, %(moved)s, %(removed)s, %(ignored)s, %(purged)s, %(directories)s,
       %(directories_moved)s, %(problems)s, %(bytes_hashed)s, %(repaired)s, %(corrupt)s, %(error)s,
       clock_timestamp() - make_interval(secs => %(duration)s), clock_timestamp(), round(%(duration)s * 1000)
RETURNING id

-- name: extend_purge
UPDATE sync_operations
   SET files_purged = %(purged)s, end_time = clock_timestamp(), duration_ms = round(%(duration)s * 1000)
 WHERE repository_id = %(repository)s AND id = %(id)s

-- name: begin_stretch
INSERT INTO sync_operations (repository_id, operation_type, trigger, scope, status, files_scanned,
       problems, bytes_hashed, files_corrupt, start_time, end_time, duration_ms)
SELECT %(repository)s, %(type)s, %(trigger)s, %(scope)s, 'completed', %(files)s, %(problems)s, %(bytes)s, %(corrupt)s,
       clock_timestamp() - make_interval(secs => %(duration)s), clock_timestamp(), round(%(duration)s * 1000)
RETURNING id

-- name: extend_stretch
UPDATE sync_operations
   SET files_scanned = files_scanned + %(files)s,
       problems = problems + %(problems)s, bytes_hashed = bytes_hashed + %(bytes)s,
       files_corrupt = files_corrupt + %(corrupt)s,
       end_time = clock_timestamp(), duration_ms = round(%(duration)s * 1000)
 WHERE repository_id = %(repository)s AND id = %(id)s AND status = 'completed'
RETURNING id

-- name: close_interrupted
UPDATE sync_operations
   SET status = 'failed', end_time = now(),
       error_message = 'interrupted: its daemon is gone, or lost the database',
       duration_ms = round(extract(epoch FROM now() - start_time) * 1000)
 WHERE repository_id = %(repository)s AND status = 'running' AND (lease_token IS NULL OR lease_token < %(before)s)
RETURNING id

-- name: history
SELECT id, operation_type, trigger, scope, status, files_scanned, files_added, files_updated, files_moved,
       files_removed, files_ignored, files_purged, directories, directories_moved, problems, bytes_hashed,
       files_repaired, files_corrupt, start_time, end_time, duration_ms, error_message
  FROM sync_operations WHERE repository_id = %s ORDER BY id DESC LIMIT %s

-- name: recent
SELECT r.name, o.id, operation_type, trigger, scope, status, files_scanned, files_added, files_updated, files_moved,
       files_removed, files_ignored, files_purged, directories, directories_moved, problems, bytes_hashed,
       files_repaired, files_corrupt, start_time, end_time, duration_ms, error_message
  FROM repositories r
 CROSS JOIN LATERAL (SELECT * FROM sync_operations WHERE repository_id = r.id ORDER BY id DESC LIMIT %(most)s) o
 ORDER BY o.id DESC LIMIT %(most)s

-- name: trim
DELETE FROM sync_operations
 WHERE repository_id = %(repository)s AND status <> 'running' AND id = ANY(ARRAY(
       SELECT id FROM sync_operations WHERE repository_id = %(repository)s
          AND start_time < now() - make_interval(secs => %(keep)s) ORDER BY start_time LIMIT %(most)s))
