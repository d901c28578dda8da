"""What the unit takes away from the service, tried against everything that the service is there to do."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tools import sample_library
from tests.tools.manuals import DOCS, blocks
from tests.tools.systemd_box import CHECKOUT, Box
from tests.tools.systemd_service import ONE_BY_ONE, UNIT, Service

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

SOMEBODY = 4321
READ_SEARCH = 1 << 2
"""CAP_DAC_READ_SEARCH, see <linux/capability.h>."""
SYS_ADMIN = 1 << 21


def exposure(box: Box, directory: str, unit: str) -> float:
    """What systemd-analyze makes of the units in a directory."""
    said = box.run("systemd-analyze", "security", "--offline=yes", "--no-pager", f"{directory}/{unit}")
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    return float(found[1])


def capabilities(service: Service, process: int) -> dict[str, str]:
    """The fields of a process's status that say what it may do."""
    lines = service.box.path(f"/proc/{process}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: fields[name] for name in ("CapEff", "CapPrm", "CapBnd", "NoNewPrivs", "Seccomp")}


def worker_processes(service: Service) -> list[int]:
    said = service.box.run("pgrep", "-u", "censusd", "-f", "deepscan[.]child", check=False)
    return [int(number) for number in said.split()]


def hashed(service: Service, repository: str, path: str) -> bool:
    return service.record(repository, path)["content_hash"] is not None


def give(path: Path, mode: int, owner: int = SOMEBODY, group: int = SOMEBODY) -> None:
    """Make something somebody's."""
    path.chmod(mode)
    os.chown(path, owner, group)


@contextmanager
def mounted(box: Box, path: str) -> Iterator[Path]:
    """A file system that is mounted in the box, as a disk is that is plugged in."""
    box.path(path).mkdir(parents=True, exist_ok=True)
    box.run("mount", "-t", "tmpfs", "disk", path)
    try:
        yield box.path(path)
    finally:
        # A file that is being read there is let go a moment later.
        box.until(lambda: not box.run("umount", path, check=False))


@pytest.fixture
def units(box: Box) -> str:
    """A directory with the units as they are in the checkout, as systemd-analyze wants them."""
    box.run("rm", "-rf", "/opt/units")
    shutil.copytree(CHECKOUT / "systemd", box.path("/opt/units"), ignore=shutil.ignore_patterns("*.d"))
    box.path("/opt/units/censusd-worker@.service").rename(box.path("/opt/units/censusd-worker@x.service"))
    return "/opt/units"


def test_what_an_attacker_would_get_is_little(box: Box, units: str) -> None:
    assert exposure(box, units, UNIT) <= 1.8
    assert exposure(box, units, "censusd-worker@x.service") <= 1.8


def test_without_capabilities_it_is_less(box: Box, units: str) -> None:
    drop_in = CHECKOUT / "systemd" / f"{UNIT}.d" / "without-capabilities.conf"
    for unit in (UNIT, "censusd-worker@x.service"):
        box.write(f"{units}/{unit}.d/without-capabilities.conf", drop_in.read_text())
        assert exposure(box, units, unit) <= 1.5


def test_with_fanotify_it_is_not_much_more(box: Box, units: str) -> None:
    drop_in = CHECKOUT / "systemd" / f"{UNIT}.d" / "fanotify.conf"
    box.write(f"{units}/{UNIT}.d/fanotify.conf", drop_in.read_text())
    assert exposure(box, units, UNIT) <= 2.2


def test_systemd_finds_nothing_wrong_with_the_units(box: Box) -> None:
    said = box.run("systemd-analyze", "verify", UNIT, "censusd-worker@censusd.service")
    assert "censusd" not in said


def test_the_daemon_and_the_worker_are_confined_alike() -> None:
    def confinement(unit: str) -> list[str]:
        text = (CHECKOUT / "systemd" / unit).read_text()
        part = text[text.index("\nAmbientCapabilities=") : text.index("\nLimitNOFILE=")]
        return [line for line in part.splitlines() if line and not line.startswith("#")]

    assert len(confinement(UNIT)) > 20
    assert confinement(UNIT) == confinement("censusd-worker@.service")


def test_every_kind_of_file_is_read_within_the_sandbox(service: Service) -> None:
    service.configure("deep", ONE_BY_ONE)
    root = service.look_after("library")
    root.rmdir()
    count = sample_library.make_library(root)
    service.start()
    service.until_watching("library")
    service.box.run("censusctl", "deep-scan", "library", "--wait")
    status = service.ctl("status")["deep_scan"]
    assert status["given_up"] == 0
    assert status["missing_extractors"] == {}
    assert set(status["sandbox"].values()) == {""}, status["sandbox"]
    assert count > 100
    service.until(lambda: service.ctl("status")["repositories"][0]["totals"]["deep"] == count)
    assert service.record("library", "Books/Manuals/Coffee grinder.pdf")["content"]


def test_it_has_one_power_and_its_workers_lock_themselves_in_further(service: Service) -> None:
    (service.look_after("photos") / "a").write_text("hello")
    service.start()
    service.until_watching("photos")
    main = capabilities(service, service.main_process())
    assert (int(main["CapEff"], 16), int(main["CapBnd"], 16)) == (READ_SEARCH, READ_SEARCH)
    assert (main["NoNewPrivs"], main["Seccomp"]) == ("1", "2")
    service.until(lambda: worker_processes(service) and service.ctl("status")["deep_scan"]["sandbox"])
    assert set(service.ctl("status")["deep_scan"]["sandbox"].values()) == {""}
    worker = capabilities(service, worker_processes(service)[0])
    assert (int(worker["CapEff"], 16), int(worker["CapPrm"], 16)) == (READ_SEARCH, READ_SEARCH)


def test_private_files_in_home_directories_are_read(service: Service) -> None:
    service.configure("deep", ONE_BY_ONE)
    root = service.look_after("photos", "/home/ada/photos")
    (root / "a").write_text("hello")
    for path, mode in ((root / "a", 0o600), (root, 0o700), (root.parent, 0o700)):
        give(path, mode)
    service.start()
    service.until_watching("photos")
    service.until(lambda: hashed(service, "photos", "a"))
    service.box.run("rm", "-r", "/home/ada")


def test_a_disk_that_is_mounted_later_is_seen(service: Service) -> None:
    service.look_after("disk", "/mnt/disk", 'marker = ".censusd-root"\n')
    service.start()
    service.until(lambda: service.status == "disk offline")
    with mounted(service.box, "/mnt/disk") as disk:
        (disk / ".censusd-root").touch()
        (disk / "a").write_text("hello")
        service.until_watching("disk")
        assert service.names("disk") == {"a"}
    service.until(lambda: service.status == "disk offline")
    assert service.record("disk", "a")["state"] == "present"


def test_a_disk_that_is_mounted_later_inside_a_tree_is_seen(service: Service) -> None:
    root = service.look_after("photos")
    (root / "a").touch()
    (root / "card").mkdir()
    service.start()
    service.until_watching("photos")
    with mounted(service.box, "/srv/photos/card") as card:
        (card / "b").touch()
        service.box.run("censusctl", "scan", "photos", "--wait")
        assert [entry["name"] for entry in service.ctl("ls", "photos:card")["entries"]] == ["b"]
    service.until(lambda: service.status == "photos offline")


def test_it_sees_that_others_wait_for_a_processor(service: Service) -> None:
    rules = ONE_BY_ONE.replace("cpu_pressure = 100", "cpu_pressure = 0")
    service.configure("deep", rules)
    root = service.look_after("photos")
    for number in range(2000):
        (root / str(number)).write_text(str(number))
    service.box.run("systemd-run", "--unit=hog", "bash", "-c", "for i in {1..8}; do while :; do :; done & done; wait")
    try:
        service.start()
        service.until_watching("photos")
        service.until(lambda: service.ctl("status")["deep_scan"]["condition"] == "cpu")
        assert "processor" in service.ctl("status")["deep_scan"]["why"]
    finally:
        service.box.run("systemctl", "stop", "hog")


def test_without_capabilities_it_reads_what_its_groups_may(service: Service) -> None:
    service.configure("deep", ONE_BY_ONE)
    service.box.run("groupadd", "--gid", str(SOMEBODY), "photographers")
    installed = service.box.path(f"/usr/share/doc/censusd/{UNIT}.d/without-capabilities.conf").read_text()
    service.drop_in("without-capabilities", installed.replace("#Supplementary", "Supplementary"))
    root = service.look_after("photos")
    for name, mode in (("shared", 0o640), ("private", 0o600)):
        (root / name).write_text(name)
        give(root / name, mode)
    give(root, 0o750)
    service.start()
    service.until_watching("photos")
    assert int(capabilities(service, service.main_process())["CapEff"], 16) == 0
    service.until(lambda: hashed(service, "photos", "shared"))
    service.until(lambda: service.record("photos", "private")["attempt"])
    assert not hashed(service, "photos", "private")


def test_with_the_drop_in_one_mark_watches_a_whole_file_system(service: Service) -> None:
    (service.look_after("photos", more='watch = "fanotify"\n') / "a/b").mkdir(parents=True)
    service.start()
    service.until_watching("photos")
    watch = service.ctl("status")["repositories"][0]["watch"]
    assert watch["tier"] == "inotify"
    assert watch["reason"].startswith("fanotify was asked for in the configuration, but it takes CAP_SYS_ADMIN")

    (block,) = [each for each in blocks(DOCS / "operating.md", "sh") if each.heading.startswith("One mark instead")]
    root = service.look_after("photos")
    service.box.run("sh", "-e", "-c", block.text)
    service.until_watching("photos")
    watch = service.ctl("status")["repositories"][0]["watch"]
    assert (watch["tier"], watch["marks"], watch["used"]) == ("fanotify", 1, 1), watch["reason"]
    (root / "a/b/file").write_text("hello")
    service.ctl("sync", "photos")
    (root / "a").rename(root / "moved")
    (root / "moved/b/another").touch()
    service.ctl("sync", "photos")
    assert {entry["name"] for entry in service.ctl("ls", "photos:moved/b")["entries"]} == {"file", "another"}
    assert service.ctl("status")["repositories"][0]["watch"]["events"] > 0
    main = capabilities(service, service.main_process())
    assert int(main["CapEff"], 16) == READ_SEARCH | SYS_ADMIN
    service.until(lambda: worker_processes(service))
    assert int(capabilities(service, worker_processes(service)[0])["CapPrm"], 16) == READ_SEARCH


def test_members_of_its_group_may_give_orders_and_others_may_not(service: Service) -> None:
    service.look_after("photos")
    service.start()

    def ask(group: str) -> str:
        somebody = ("--reuid=4321", f"--regid={group}", "--clear-groups", "--", "env", "HOME=/nonexistent")
        return service.box.run("setpriv", *somebody, "censusctl", "status", check=False)

    assert "photos" in ask("censusd")
    assert "no permission" in ask("4321")
