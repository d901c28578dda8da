"""The service with a distribution's PostgreSQL as its database, whichever of the two comes up first; and a worker."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tools.systemd_box import Box
from tests.tools.systemd_service import ONE_BY_ONE, UNIT, Service

CLUSTERS = sorted(Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres"))

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not CLUSTERS or not Path("/usr/bin/pg_createcluster").exists(), reason="Debian's postgresql is not installed"
    ),
]

WORKER = "censusd-worker@second.service"
PASSWORD = "not so secret"


class Postgresql:
    """A cluster of Debian's in a box, with a role and an empty database for censusd.

    Args:
        box: where it is made.
    """

    def __init__(self, box: Box) -> None:
        self._box = box
        self._version = CLUSTERS[-1].parts[4]
        self.unit = f"postgresql@{self._version}-censusd.service"

    def create(self) -> None:
        """Make it, not yet started after that."""
        for line in self._box.run("pg_lsclusters", "--no-header").splitlines():
            self._box.run("pg_dropcluster", "--stop", *line.split()[:2], check=False)
        self._box.run("pg_createcluster", self._version, "censusd", "--port=5432")
        self._box.run("systemctl", "daemon-reload")
        self.start()
        self.ask("CREATE ROLE censusd LOGIN PASSWORD 'not so secret'")
        self.ask("CREATE DATABASE censusd OWNER censusd")
        self.stop()

    def drop(self) -> None:
        """Remove it."""
        self.stop()
        self._box.run("pg_dropcluster", "--stop", self._version, "censusd")

    def start(self) -> None:
        """Start it, which ends when it takes connections."""
        self._box.run("systemctl", "start", self.unit)

    def stop(self) -> None:
        """Stop it."""
        self._box.run("systemctl", "stop", self.unit)

    def ask(self, statement: str, database: str = "postgres") -> str:
        """What a statement gives, as its administrator asks."""
        return self._box.run(
            *("runuser", "-u", "postgres", "--", "psql", "-p", "5432", "-XAtq", "-v", "ON_ERROR_STOP=1"),
            *("-d", database, "-c", statement),
        ).strip()


@pytest.fixture(scope="module")
def cluster(box: Box) -> Iterator[Postgresql]:
    """Debian's PostgreSQL, made and stopped."""
    made = Postgresql(box)
    made.create()
    yield made
    made.drop()


@pytest.fixture
def postgresql(cluster: Postgresql, service: Service) -> Iterator[Postgresql]:
    """Debian's PostgreSQL, stopped and empty; the service is configured for it, by its socket."""
    service.configure("database", '[database]\ndsn = "host=/var/run/postgresql dbname=censusd user=censusd"\n')
    yield cluster
    service.stop()
    service.box.run("systemctl", "stop", WORKER)
    cluster.start()
    cluster.ask("DROP DATABASE censusd")
    cluster.ask("CREATE DATABASE censusd OWNER censusd")
    cluster.stop()


def began(box: Box, unit: str) -> int:
    """When a unit began to start: microseconds of the monotonic clock."""
    return int(box.show(unit, "InactiveExitTimestampMonotonic")[0])


def test_started_before_its_database_it_waits_and_says_so(service: Service, postgresql: Postgresql) -> None:
    (service.look_after("photos") / "a").touch()
    service.start()
    service.until(lambda: service.status.startswith("waiting for the database"))
    postgresql.start()
    service.until_watching("photos")
    assert service.names("photos") == {"a"}
    assert postgresql.ask("SELECT count(*) FROM file_records", "censusd") == "1"
    assert not service.box.path("/var/lib/censusd/postgresql").exists()


def test_at_boot_it_is_started_after_its_database(service: Service, postgresql: Postgresql) -> None:
    service.look_after("photos")
    service.box.run("systemctl", "enable", "postgresql.service", UNIT)
    try:
        service.box.run("systemctl", "start", "multi-user.target")
        service.until_watching("photos")
        ready = int(service.box.show(postgresql.unit, "ActiveEnterTimestampMonotonic")[0])
        assert 0 < ready <= began(service.box, UNIT)
        assert "waiting for the database" not in service.box.run(
            "journalctl", "-o", "cat", "-u", UNIT, f"_PID={service.main_process()}"
        )
    finally:
        service.box.run("systemctl", "disable", "--now", "postgresql.service", UNIT)


def test_a_database_that_is_started_again_is_found_again(service: Service, postgresql: Postgresql) -> None:
    root = service.look_after("photos")
    postgresql.start()
    service.start()
    service.until_watching("photos")
    before = service.main_process()
    postgresql.stop()
    (root / "a").touch()
    postgresql.start()
    service.until_watching("photos")
    service.until(lambda: [entry["name"] for entry in service.ctl("ls", "photos")["entries"]] == ["a"])
    assert service.main_process() == before


def test_a_password_in_a_credential_opens_the_database(service: Service, postgresql: Postgresql) -> None:
    dsn = f"host=127.0.0.1 port=5432 dbname=censusd user=censusd password='{PASSWORD}'"
    service.box.run("rm", "/etc/censusd/conf.d/database.toml")
    service.box.write("/etc/credstore/censusd.database", dsn, 0o600)
    service.look_after("photos")
    postgresql.start()
    service.start()
    service.until_watching("photos")
    client = "SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'censusd' AND client_addr = '127.0.0.1'"
    assert postgresql.ask(client) == "t"
    shown = service.box.run("systemctl", "show", UNIT) + service.box.log(UNIT)
    shown += service.box.run("ps", "-eo", "args") + service.box.run("censusctl", "--json", "status")
    assert PASSWORD not in shown


def test_a_worker_takes_part_in_the_deep_scan(service: Service, postgresql: Postgresql) -> None:
    box = service.box
    (service.look_after("photos", more='deep_scan = "auto"\n') / "a").write_text("hello")
    service.configure("daemon", "[deep_scan]\nenabled = false\n")
    postgresql.start()
    service.start()
    service.until_watching("photos")
    service.ctl("sync", "photos")
    # What is beside it is read, too: the database, the repository, and what is now the other way round.
    box.write("/etc/censusd/second.toml", "")
    service.configure("zz-worker", f'{ONE_BY_ONE}enabled = true\n[http]\nlisten = "127.0.0.1:9765"\n')
    box.run("systemctl", "enable", "--now", WORKER)
    box.until(lambda: service.record("photos", "a")["content_hash"], WORKER)
    assert box.show(WORKER, "ActiveState", "User") == ["active", "censusd"]
    box.until(lambda: "deep scan" in box.status(WORKER), WORKER)
    box.run("systemctl", "disable", "--now", WORKER)
    assert box.show(WORKER, "Result") == ["success"]
    assert "photos watching" in service.status
