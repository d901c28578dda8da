"""What docs/operating.md tells administrators to do is done here as it stands there."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.tools.installation import Installation
from tests.tools.manuals import CHECKOUT, DOCS, Block, blocks

pytestmark = pytest.mark.slow

_CONFIGURATION: Final = """\
[[repository]]
name = "photos"
path = "/srv/photos"
"""


@pytest.fixture
def host() -> Iterator[Installation]:
    """A host with censusd on it, which looks after a repository of three files."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        place = Path(name)
        place.chmod(0o755)
        with Installation(place) as host:
            host.write("photos/2024/one.jpg", "photos/2024/two.jpg", "photos/three.jpg")
            host.configure(_CONFIGURATION)
            host.run("systemctl start censusd; censusctl sync photos")
            yield host


def sections(page: str) -> dict[str, list[Block]]:
    """The blocks of a page, by the headings that they are under."""
    found: dict[str, list[Block]] = {}
    for block in blocks(DOCS / page, "sh", "sql", "toml"):
        found.setdefault(block.heading, []).append(block)
    return found


def test_every_section_is_tried() -> None:
    assert set(sections("operating.md")) == {
        *("Every day", "Is it still what it was?", "Upgrade", "Backup", "Restore", "A tree moves"),
        "A repository gets another name",
        *("To a PostgreSQL of your own", "A repository goes", "More hosts for the deep scan"),
        "One mark instead of many watches",  # in tests/system/test_confinement.py
    }


def test_content_is_read_again(host: Installation) -> None:
    verify, daily, accept = sections("operating.md")["Is it still what it was?"]
    host.write("photos/2024/shot.raw")
    host.run("censusctl sync photos", "censusctl deep-scan --wait photos", verify)
    # As it looks when the file has rotted since.
    host.sql("UPDATE files SET content_hash = decode(repeat('00', 32), 'hex') WHERE name = 'shot.raw'")
    host.configure(daily.text)
    host.run("systemctl reload censusd", "censusctl sync photos")
    host.until(f"{verify.text.strip()}\ncensusctl problems photos | grep shot.raw")
    host.run(accept, "! censusctl problems photos | grep shot.raw")


def test_upgrade_backup_and_restore(host: Installation) -> None:
    said = sections("operating.md")
    host.run(*said["Every day"], *said["Upgrade"])
    host.run(*sections("troubleshooting.md")["psql cannot reach the private PostgreSQL"])
    before = host.numbers("photos")
    assert sorted(before) == ["2024/one.jpg", "2024/two.jpg", "three.jpg"]
    host.run(*said["Backup"])
    host.write("photos/2024/four.jpg")
    (host.place / "srv" / "photos" / "three.jpg").unlink()
    host.run("censusctl sync photos", *said["Restore"], "censusctl sync photos")
    after = host.numbers("photos")
    assert sorted(after) == ["2024/four.jpg", "2024/one.jpg", "2024/two.jpg"]
    assert after.items() >= {(path, before[path]) for path in ("2024/one.jpg", "2024/two.jpg")}
    assert host.sql("SELECT file_path FROM missing_files") == "three.jpg"


def test_a_tree_moves_and_gets_another_name(host: Installation) -> None:
    said = sections("operating.md")
    before = host.numbers("photos")
    here, elsewhere, accept = said["A tree moves"]
    host.run(here)
    host.until("censusctl sync photos")
    assert host.numbers("photos") == before
    (host.place / "mnt").mkdir()
    host.run(elsewhere)
    host.until("censusctl status | grep 'another directory is there than the one that was catalogued'")
    host.run(accept)
    assert host.numbers("photos") == before
    assert "/mnt/new" in host.sql("SELECT root FROM repositories")
    host.find_programs()
    host.run(*said["A repository gets another name"], "censusctl sync pictures")
    assert host.numbers("pictures") == before


def test_another_postgresql_and_a_repository_goes(host: Installation) -> None:
    said = sections("operating.md")
    before = host.numbers("photos")
    host.run(*said["Backup"])
    database, restored, configuration, restart = said["To a PostgreSQL of your own"]
    host.start_another_server()
    host.run(database, restored)
    host.configure(configuration.text)
    host.run(restart, "censusctl sync photos")
    assert host.numbers("photos", "other") == before
    host.run(*sections("troubleshooting.md")["It waits for the database"])

    (gone,) = said["A repository goes"]
    (host.place / "srv" / "others").mkdir()
    host.configure(configuration.text.replace("photos", "others"))
    host.run("systemctl reload censusd")
    host.until("censusctl sync others")
    retired = "SELECT state FROM repositories WHERE name = 'photos'"
    host.until(f'test "$(psql -Atc "{retired}")" = retired', "other")
    host.sql(gone.text.replace("'pictures'", "'photos'"), "other")
    assert host.sql("SELECT name FROM repositories", "other") == "others"
    assert host.sql("SELECT count(*) FROM files", "other") == "0"


def test_more_hosts(host: Installation) -> None:
    host.run(*sections("operating.md")["More hosts for the deep scan"])
    assert (CHECKOUT / "systemd" / "censusd-worker@.service").exists()
