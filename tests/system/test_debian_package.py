"""The Debian package: built, installed, upgraded, removed and purged on a machine in a box."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator

import pytest

from tests.tools.systemd_box import CHECKOUT, Box
from tests.tools.systemd_service import UNIT, Service, new_box

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="there is no dpkg here"),
]


class Package:
    """The package in a box.

    Args:
        box: where it is built and installed.
    """

    def __init__(self, box: Box) -> None:
        self.box = box

    def build(self, revision: int, *more: str) -> str:
        """Build it. Gives the package's path."""
        options = (f"VENV={sys.prefix}", f"REVISION={revision}", *more)
        self.box.run("make", "-C", str(CHECKOUT), "deb", *options)
        return self.box.run("bash", "-c", f"ls {CHECKOUT}/dist/censusd_*-{revision}_*.deb").strip()

    def install(self, path: str) -> str:
        """Install or upgrade it. Gives what dpkg says."""
        return self.box.run("dpkg", "--install", "--force-confold", "--force-unsafe-io", path)

    def left(self) -> list[str]:
        """What there is of it on the machine, apart from dpkg's own notes."""
        places = ("/etc", "/usr", "/var", "/run")
        found = self.box.run("find", *places, "-xdev", "-path", "*censusd*", "-not", "-path", f"{CHECKOUT}/*")
        kept = ("/var/lib/dpkg/", "/var/log/", "/run/systemd/", "/var/cache/apt")
        return [line for line in found.splitlines() if not line.startswith(kept)]


@pytest.fixture(scope="module")
def machine() -> Iterator[Box]:
    with new_box() as box:
        box.run("rm", "-f", "/usr/sbin/policy-rc.d")
        yield box


@pytest.fixture(scope="module")
def built(machine: Box) -> dict[int, str]:
    """Two revisions of the package."""
    package = Package(machine)
    # The first as people have it; that the other is not compressed saves half a minute.
    return {1: package.build(1), 2: package.build(2, "COMPRESSION=none")}


@pytest.fixture
def package(machine: Box, built: dict[int, str]) -> Iterator[Package]:
    package = Package(machine)
    yield package
    machine.run("dpkg", "--purge", "censusd", check=False)
    Service(machine).forget()
    machine.run("rm", "-r", "/etc/censusd")


def facts(box: Box) -> list[str]:
    return box.show(UNIT, "ActiveState", "UnitFileState")


def test_without_anything_to_do_it_waits_to_be_configured(package: Package, built: dict[int, str]) -> None:
    said = package.install(built[1])
    assert "/etc/censusd/censusd.toml" in said
    assert facts(package.box) == ["inactive", "disabled"]
    service = Service(package.box)
    (service.look_after("photos") / "a").touch()
    package.box.run("systemctl", "enable", "--now", UNIT)
    service.until_watching("photos")
    assert service.names("photos") == {"a"}


def test_configured_it_starts_and_is_upgraded_with_its_data(package: Package, built: dict[int, str]) -> None:
    service = Service(package.box)
    (service.look_after("photos") / "a").write_text("hello")
    package.install(built[1])
    assert facts(package.box) == ["active", "enabled"]
    service.until_watching("photos")
    service.ctl("sync", "photos")
    before, process = service.record("photos", "a"), service.main_process()
    configuration = package.box.path("/etc/censusd/censusd.toml")
    configuration.write_text(configuration.read_text() + "# mine\n")

    package.install(built[2])
    assert facts(package.box) == ["active", "enabled"]
    service.until_watching("photos")
    assert service.main_process() != process
    after = service.record("photos", "a")
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])
    assert configuration.read_text().endswith("# mine\n")
    assert package.box.run("dpkg-query", "-W", "-f", "${Version}", "censusd").endswith("-2")


def test_an_upgrade_does_not_enable_what_was_disabled(package: Package, built: dict[int, str]) -> None:
    Service(package.box).look_after("photos")
    package.install(built[1])
    package.box.run("systemctl", "disable", "--now", UNIT)
    package.install(built[2])
    assert facts(package.box) == ["inactive", "disabled"]


def test_removed_it_leaves_the_data_and_purged_nothing(package: Package, built: dict[int, str]) -> None:
    service = Service(package.box)
    (service.look_after("photos") / "a").write_text("hello")
    package.install(built[1])
    service.until_watching("photos")
    service.ctl("sync", "photos")
    before = service.record("photos", "a")

    package.box.run("dpkg", "--remove", "censusd")
    assert facts(package.box)[0] == "inactive"
    left = package.left()
    assert not [path for path in left if path.startswith("/usr/")], left
    assert "/var/lib/censusd/postgresql" in left
    assert "/etc/censusd/censusd.toml" in left

    package.install(built[1])
    service.until_watching("photos")
    after = service.record("photos", "a")
    assert (after["id"], after["created_at"]) == (before["id"], before["created_at"])

    package.box.run("dpkg", "--purge", "censusd")
    assert package.left() == []
    assert package.box.run("ps", "-u", "censusd", "--no-headers", check=False) == ""


def test_the_package_has_the_version_of_the_program(package: Package, built: dict[int, str]) -> None:
    package.install(built[1])
    version = package.box.run("dpkg-query", "-W", "-f", "${Version}", "censusd")
    assert package.box.run("censusd", "--version") == f"censusd {version.removesuffix('-1')}\n"
    assert package.box.run("dpkg", "--verify", "censusd") == ""


@pytest.mark.skipif(not shutil.which("lintian"), reason="there is no lintian here")
def test_lintian_finds_no_errors(package: Package, built: dict[int, str]) -> None:
    package.box.run("lintian", "--allow-root", "--fail-on", "error,warning", built[1])
