-- name: register
INSERT INTO repositories (name, root) VALUES (%(name)s, %(root)s)
ON CONFLICT (name) DO UPDATE SET root = excluded.root,
    state = CASE repositories.state WHEN 'retired' THEN 'active' ELSE repositories.state END
RETURNING id

-- name: retire
UPDATE repositories SET state = 'retired', state_since = now(), next_reconciliation_at = NULL
WHERE id = %s AND lease_token = %s

-- name: acquire
UPDATE repositories
   SET lease_owner = %(owner)s, lease_token = lease_token + 1,
       lease_expires_at = now() + make_interval(secs => %(ttl)s)
 WHERE id = %(id)s
   AND (lease_owner IS NULL OR lease_owner = ANY(%(dead)s) OR lease_expires_at < now()
        -- None is granted for so long: the clock has been put back since, and this one would last until it catches up.
        OR lease_expires_at > now() + interval '1 hour')
RETURNING lease_token

-- name: holder
SELECT lease_owner, extract(epoch FROM lease_expires_at - now())::double precision FROM repositories WHERE id = %s

-- name: renew
UPDATE repositories SET lease_expires_at = now() + make_interval(secs => %(ttl)s)
 WHERE id = %(id)s AND lease_token = %(token)s

-- name: release
UPDATE repositories SET lease_owner = NULL, lease_expires_at = NULL WHERE id = %s AND lease_token = %s

-- name: begin_write
UPDATE repositories SET change_number = change_number + 1 WHERE id = %s AND lease_token = %s RETURNING change_number

-- name: begin_unfenced_write
UPDATE repositories SET change_number = change_number + 1 WHERE id = %s RETURNING change_number

-- name: lock
SELECT FROM repositories WHERE id = %s FOR NO KEY UPDATE

-- name: notify
SELECT pg_notify('censusd_changes', json_build_object('repository', %s::text, 'change_number', %s::bigint)::text)

-- name: status
SELECT id, name, root, state, state_reason, state_since, identity::text, dirty_since, dirty_reason, scan_generation,
       last_pass_at, reconcile_interval, next_reconciliation_at, change_number, lease_owner
  FROM repositories WHERE id = %s

-- name: all_records
SELECT id, name, root, state, state_reason, state_since, identity::text, dirty_since, dirty_reason, scan_generation,
       last_pass_at, reconcile_interval, next_reconciliation_at, change_number, lease_owner
  FROM repositories ORDER BY name

-- name: set_state
UPDATE repositories SET state = %(state)s, state_reason = %(reason)s,
       state_since = CASE WHEN state = %(state)s THEN state_since ELSE now() END
 WHERE id = %(id)s AND lease_token = %(token)s

-- name: set_identity
UPDATE repositories SET identity = %s::jsonb WHERE id = %s AND lease_token = %s

-- name: mark_dirty
UPDATE repositories SET dirty_since = coalesce(dirty_since, now()), dirty_reason = coalesce(dirty_reason, %s)
 WHERE id = %s AND lease_token = %s

-- name: complete_pass
UPDATE repositories
   SET scan_generation = scan_generation + 1, last_pass_at = %(began)s,
       -- A mark from the future was set before the clock was put back: it is older than a pass that is not.
       dirty_since = CASE WHEN %(began)s > now() OR dirty_since BETWEEN %(began)s AND now() THEN dirty_since END,
       dirty_reason = CASE WHEN %(began)s > now() OR dirty_since BETWEEN %(began)s AND now() THEN dirty_reason END
 WHERE id = %(id)s AND lease_token = %(token)s
RETURNING scan_generation

-- name: set_schedule
UPDATE repositories SET reconcile_interval = %s, next_reconciliation_at = now() + make_interval(secs => %s)
 WHERE id = %s AND lease_token = %s
RETURNING next_reconciliation_at

-- name: now
SELECT clock_timestamp()
