"""What is said to wait is what a worker would be given: the two statements have the same conditions."""

from __future__ import annotations

from itertools import product

from censusd.catalogue import content, deep_queue
from censusd.catalogue.deep_queue import Selection
from censusd.model import Places, Strategy
from tests.tools.library import Library

LEASES = ("NULL", "now() - interval '1 hour'", "now() - interval '20 seconds'", "now() + interval '1 minute'")
QUARANTINED = ("NULL", "now()")
RETRIES = ("NULL", "now() - interval '1 second'", "now() + interval '1 minute'")
PUT_OFF = (0, 3, 5, 8, 12)
OLDER = (0, 1)
"""By how much the file's change number is greater than that of its claim."""


def test_what_waits_is_what_is_given_out(library: Library) -> None:
    cases = list(product(LEASES, QUARANTINED, RETRIES, PUT_OFF, OLDER))
    for number in range(len(cases) + 1):  # the last one has no claim at all
        library.write(f"d/{number:03}")
    library.reconcile()
    rows = library.query("SELECT id FROM files ORDER BY name")
    for (file,), (lease, quarantined, retry, put_off, older) in zip(rows, cases, strict=False):
        library.query(
            "INSERT INTO deep_scan_claims (repository_id, file_id, change_number, lease_expires_at, quarantined_at,"
            f" retry_at, put_off, worker) SELECT repository_id, id, change_number - {older}, {lease}, {quarantined},"
            f" {retry}, {put_off}, 'somebody' FROM files WHERE id = {file}"
        )
    repository = library.repository
    with repository.catalogue.transaction() as cursor:
        queue = content.queues(cursor, repository.id, Places())[Strategy.AUTO]
        given = deep_queue.claim(cursor, repository.id, "me", Selection(), most=10_000, lease=60.0)
    assert queue.waiting == len(given.files)
    assert queue.taken == sum(lease == LEASES[3] for lease, *_ in cases)
    assert queue.waiting + queue.taken + queue.later + queue.given_up == len(cases) + 1
    assert queue.backlog == queue.waiting + queue.taken + queue.later
    assert min(queue.later, queue.given_up) > 0
