"""The wheel: everything that people need who install with pip, and nothing that only a checkout needs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from censusd import __version__

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True)
    (path,) = directory.iterdir()
    assert path.name == f"censusd-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def committed(*directories: str) -> set[str]:
    """The files below some directories of the checkout, without what Python leaves behind."""
    found = (path for directory in directories for path in (CHECKOUT / directory).rglob("*") if path.is_file())
    return {str(path.relative_to(CHECKOUT)) for path in found if "__pycache__" not in path.parts}


def test_the_whole_package_is_in_it(wheel: zipfile.ZipFile) -> None:
    expected = {name.removeprefix("daemon/") for name in committed("daemon/censusd")}
    assert {name for name in wheel.namelist() if name.startswith("censusd/")} == expected
    assert {"censusd/py.typed", "censusd/web/index.html", "censusd/catalogue/sql/files.sql"} <= expected


def test_units_configuration_dashboards_rules_and_documents_are_in_it(wheel: zipfile.ZipFile) -> None:
    data = f"censusd-{__version__}.data/data/"
    there = {name.removeprefix(data) for name in wheel.namelist() if name.startswith(data)}
    expected = {f"share/censusd/{name}" for name in committed("systemd")}
    expected |= {f"share/censusd/{name.removeprefix('etc/')}" for name in committed("etc")}
    expected |= {f"share/doc/censusd/{name}" for name in (*committed("docs"), "CHANGELOG.md")}
    manuals = (Path(name) for name in committed("docs/man"))
    expected |= {f"share/man/man{manual.suffix[1:]}/{manual.name}" for manual in manuals}
    assert there == expected


def test_what_it_says_of_itself_is_what_the_program_says(wheel: zipfile.ZipFile) -> None:
    dist = f"censusd-{__version__}.dist-info"
    assert f"\nVersion: {__version__}\n" in wheel.read(f"{dist}/METADATA").decode()
    assert f"{dist}/licenses/LICENSE" in wheel.namelist()
    commands = wheel.read(f"{dist}/entry_points.txt").decode()
    assert "censusd = censusd.cli.daemon:main" in commands
    assert "censusctl = censusd.cli.censusctl:main" in commands
