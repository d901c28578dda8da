"""The service under a real systemd, from the day it is installed to the day it is removed."""

from __future__ import annotations

import re
import signal
import time

import pytest

from censusd import __version__
from tests.tools.systemd_box import Box, BoxError
from tests.tools.systemd_service import ONE_BY_ONE, UNIT, Service, install, new_box, uninstall, write_tree

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

NOTIFY_RELOAD_SINCE = 253
"""The version of systemd that brought Type=notify-reload."""

# Censusd with one fault: after SIGUSR1 the next loop that comes round waits for a lock that nobody gives up.
HANGING = """\
import signal, sys, threading
sys.path.append("/usr/lib/censusd")
from censusd.cli.daemon import main
from censusd.service.heartbeat import Heartbeats, Loop
hang, never, beat = threading.Event(), threading.Lock(), Loop.beat
never.acquire()
def beat_or_hang(loop, *silence):
    beat(loop, *silence)
    if hang.is_set():
        never.acquire()
Loop.beat = beat_or_hang
Heartbeats.__init__.__defaults__ = (2.0,)
signal.signal(signal.SIGUSR1, lambda *_: hang.set())
sys.exit(main())
"""


def kill(service: Service, number: signal.Signals) -> None:
    """Send a signal to the daemon's own process alone."""
    service.box.run("systemctl", "kill", f"--signal={number.value}", "--kill-who=main", UNIT)


def restarts(service: Service) -> int:
    return int(service.box.show(UNIT, "NRestarts")[0])


def processes(service: Service) -> str:
    """Everything that runs as the service's user."""
    return service.box.run("ps", "-o", "pid,args", "-u", "censusd", "--no-headers", check=False)


def test_installed_enabled_and_started_it_keeps_a_catalogue(service: Service) -> None:
    root = service.look_after("photos")
    (root / "a.txt").write_text("hello")
    service.box.run("systemctl", "enable", "--now", UNIT)
    active, enabled, user = service.box.show(UNIT, "ActiveState", "UnitFileState", "User")
    assert (active, enabled, user) == ("active", "enabled", "censusd")
    service.until_watching("photos")
    (root / "b.txt").write_text("world")
    assert service.names("photos") == {"a.txt", "b.txt"}
    assert "root" not in service.box.run("ps", "-o", "user:20,args", "-C", "censusd,postgres", "--no-headers")


def test_the_status_says_how_far_a_scan_is(service: Service) -> None:
    write_tree(service.look_after("photos"), 200, 300)
    service.start()
    service.until(lambda: re.match(r"photos scanning: [\d,]+ files, [\d,]+/s", service.status))
    service.until_watching("photos")


def test_a_first_scan_is_stopped_at_once_and_goes_on_later(service: Service) -> None:
    count = write_tree(service.look_after("photos"), 200, 300)
    service.start()
    service.until(lambda: re.search(r"scanning: [1-9]", service.status))
    began = time.monotonic()
    service.stop()
    assert time.monotonic() - began < 10
    assert service.box.show(UNIT, "Result", "ActiveState") == ["success", "inactive"]
    assert processes(service) == ""
    assert "stopped" in service.box.log(UNIT)
    service.start()
    service.until_watching("photos")
    (photos,) = service.ctl("status")["repositories"]
    # There are no totals until the first count is over.
    service.until(lambda: (service.ctl("status")["repositories"][0]["totals"] or {}).get("files") == count)
    assert photos["phase"] == "watching"
    statuses = [operation["status"] for operation in service.ctl("history")["operations"]]
    assert "running" not in statuses
    assert statuses[0] == "completed"


def test_a_reload_adds_a_repository_and_removes_one(service: Service) -> None:
    (service.look_after("photos") / "a").touch()
    (service.look_after("books") / "b").touch()
    service.start()
    service.until_watching("photos", "books")
    before = service.main_process()
    service.box.run("rm", "/etc/censusd/conf.d/books.toml")
    (service.look_after("comics") / "c").touch()
    service.reload()
    service.until_watching("photos", "comics")
    assert "books" not in service.status
    assert service.names("comics") == {"c"}
    assert service.names("photos") == {"a"}
    assert service.main_process() == before


def test_a_newer_systemd_says_that_a_reload_is_over_when_it_is(service: Service) -> None:
    version = int(service.box.run("systemctl", "--version").split()[1])
    if version < NOTIFY_RELOAD_SINCE:
        pytest.skip(f"systemd is {version}, older than {NOTIFY_RELOAD_SINCE}; SYSTEMD_PACKAGES may name a newer one")
    assert service.box.show(UNIT, "Type") == ["notify-reload"]
    service.look_after("photos")
    service.start()
    before = service.main_process()
    for number in range(5):
        service.look_after(f"books-{number}")
        service.reload()
        # No waiting: it is in force when systemctl comes back.
        assert f"books-{number}" in {each["name"] for each in service.ctl("status")["repositories"]}
    service.configure("typo", "[[repository]]\n")
    service.reload()
    assert "the new configuration is not valid" in service.status
    assert service.box.show(UNIT, "ActiveState", "NRestarts") == ["active", "0"]
    assert service.main_process() == before


def test_a_bad_configuration_is_refused_and_the_old_one_stays_in_force(service: Service) -> None:
    root = service.look_after("photos")
    service.start()
    service.until_watching("photos")
    service.configure("typo", '[[repository]]\nname = "books"\npaht = "/srv/books"\n')
    service.reload()
    service.until(lambda: "the new configuration is not valid, the old one stays in force" in service.status)
    assert "paht" in service.box.log(UNIT)
    (root / "a").touch()
    assert service.names("photos") == {"a"}
    service.box.run("rm", "/etc/censusd/conf.d/typo.toml")
    service.reload()
    service.until(lambda: service.status == "photos watching")


def test_a_configuration_that_is_bad_from_the_start_is_not_tried_again(service: Service) -> None:
    service.look_after("photos", more='debounce = "soon"\n')
    with pytest.raises(BoxError):
        service.start()
    assert service.box.show(UNIT, "ActiveState", "Result", "ExecMainStatus", "NRestarts") == [
        *("failed", "exit-code", "2", "0"),
    ]
    assert "debounce" in service.box.log(UNIT)


def test_killed_it_comes_back_with_everything_that_was_on_record(service: Service) -> None:
    service.configure("deep", ONE_BY_ONE)
    root = service.look_after("photos")
    (root / "a").write_text("hello")
    service.start()
    service.until_watching("photos")
    service.ctl("sync", "photos")
    before = service.record("photos", "a")
    kill(service, signal.SIGKILL)
    service.until(lambda: restarts(service) == 1 and service.box.show(UNIT, "ActiveState") == ["active"])
    (root / "b").touch()
    service.until_watching("photos")
    assert service.names("photos") == {"a", "b"}
    after = service.record("photos", "a")
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert processes(service).count("keeper.py") == 1


def test_a_frozen_process_is_ended_by_the_watchdog_and_started_again(service: Service) -> None:
    service.drop_in("quick", "[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n")
    service.look_after("photos")
    service.start()
    service.until_watching("photos")
    kill(service, signal.SIGSTOP)
    service.until(lambda: restarts(service) == 1)
    service.until_watching("photos")
    assert "Watchdog timeout" in service.box.log(UNIT)


def test_a_hung_loop_is_ended_by_the_watchdog_and_started_again(service: Service) -> None:
    service.box.write("/opt/hanging.py", HANGING)
    started = "ExecStart=\nExecStart=/usr/bin/python3 -IS /opt/hanging.py run"
    service.drop_in("hanging", f"[Service]\n{started}\nWatchdogSec=4\nTimeoutAbortSec=2\n")
    service.look_after("photos")
    service.start()
    service.until_watching("photos")
    assert restarts(service) == 0
    kill(service, signal.SIGUSR1)
    service.until(lambda: restarts(service) == 1)
    service.until_watching("photos")
    log = service.box.log(UNIT)
    assert '"event": "hung"' in log
    assert "Watchdog timeout" in log


def test_what_it_is_told_in_confidence_comes_by_credential(service: Service) -> None:
    service.look_after("photos")
    service.box.write("/etc/credstore/censusd.database", "host=/nowhere dbname=x user=y password=hunter2", 0o600)
    service.start()
    service.until(lambda: "waiting for the database" in service.status)
    assert "keeper.py" not in processes(service)
    assert "hunter2" not in service.box.log(UNIT) + service.status


def test_uninstalled_it_is_gone_and_its_data_and_configuration_are_there() -> None:
    with new_box() as box:
        install(box)
        service = Service(box)
        (service.look_after("photos") / "a").write_text("hello")
        service.start()
        service.until_watching("photos")
        service.ctl("sync", "photos")
        before = service.record("photos", "a")
        box.run("systemctl", "enable", UNIT)
        uninstall(box)
        assert processes(service) == ""
        assert box.run("systemctl", "list-unit-files", "censusd*", "--no-legend", check=False) == ""
        left = box.run("find", "/usr", "/etc/systemd", "-name", "*censusd*", check=False)
        assert left == ""
        assert box.path("/etc/censusd/conf.d/photos.toml").exists()
        install(box)
        service.start()
        service.until_watching("photos")
        after = service.record("photos", "a")
        assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])


@pytest.mark.parametrize("prefix", ["/usr/local", "/opt/censusd"])
def test_it_may_be_installed_elsewhere(prefix: str) -> None:
    with new_box() as box:
        install(box, prefix)
        service = Service(box)
        service.look_after("photos")
        service.start()
        service.until_watching("photos")
        assert f"{prefix}/lib/censusd" in processes(service)
        box.run(f"{prefix}/bin/censusctl", "sync", "photos")
        uninstall(box, prefix)
        assert processes(service) == ""
        left = box.run("find", "/opt", "/usr/local", "/etc/systemd", "-name", "*censusd*")
        assert left == ""


def test_an_installation_leaves_what_somebody_has_configured(box: Box, service: Service) -> None:
    configuration = box.path("/etc/censusd/censusd.toml")
    configuration.write_text("# mine\n")
    before = configuration.read_bytes()
    install(box)
    assert configuration.read_bytes() == before
    assert box.run("censusd", "--version") == f"censusd {__version__}\n"


def test_what_a_newer_version_does_not_have_any_more_goes(box: Box) -> None:
    manifest = box.path("/usr/lib/censusd/installed-files")
    gone = "/usr/lib/censusd/censusd/gone/gone.py"
    box.write(gone, "")
    manifest.write_text(f"{gone}\n{manifest.read_text()}")
    install(box)
    assert not box.path(gone).parent.exists()
    assert gone not in manifest.read_text()
    assert box.run("censusctl", "--help")
