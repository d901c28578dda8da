"""The status page in a real browser. On Debian: apt install chromium."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from censusd import metrics
from censusd.catalogue.connection import Catalogue
from censusd.describe.describer import State
from censusd.service.backlogs import Backlogs
from tests.tools.control_room import DEADLINE, ControlRoom
from tests.tools.describing import add, describing, terms
from tests.tools.library import Library
from tests.tools.scanning import NEVER_IDLE, RULES, scanning, site
from tests.tools.vision_server import Model, VisionServer
from tests.tools.waiting import until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium to look at the page with"),
]


class Browser:
    """A browser that looks at a page for some seconds of its own time, which passes faster than ours."""

    def __init__(self, profile: Path, url: str) -> None:
        self._profile = profile
        self._url = url
        self.console: list[str] = []

    def dom(self) -> str:
        """The page as it is after five refreshes."""
        return self._run("--dump-dom", "--virtual-time-budget=10000").stdout

    def top_left(self, *, dark: bool) -> tuple[int, int, int]:
        """The colour of the page's first pixel."""
        picture = self._profile.with_suffix(".png")
        scheme = "0" if dark else "1"
        self._run(f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={picture}", "--window-size=400,300")
        return _first_pixel(picture.read_bytes())

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        assert CHROMIUM
        common = ["--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--no-first-run"]
        done = subprocess.run(
            [CHROMIUM, *common, f"--user-data-dir={self._profile}", *arguments, self._url],
            capture_output=True,
            text=True,
            timeout=DEADLINE * 2,
            check=True,
        )
        self.console += [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return done


@pytest.fixture
def room(tmp_path: Path, catalogue: Catalogue) -> Iterator[ControlRoom]:
    with ControlRoom(tmp_path, catalogue) as opened:
        yield opened


@pytest.fixture
def browser(room: ControlRoom, tmp_path: Path) -> Browser:
    return Browser(tmp_path / "profile", f"http://{room.tcp.address}/")


def text_of_page(dom: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", dom))


def test_the_page_shows_how_things_stand(room: ControlRoom, browser: Browser) -> None:
    room.add("photos", files={"a/b": "x"})
    gone = room.add("gone", start=False)
    gone.root.rmdir()
    gone.start_at_once()
    until(lambda: room.status("gone")["phase"] == "offline")
    before = asked()
    text = text_of_page(browser.dom())
    assert "live" in text
    assert f"photos {room.directory}/photos watching" in text
    assert f"gone {room.directory}/gone offline" in text
    assert "there is nothing at this path" in text
    assert re.search(r"(now|ago) photos quick scan startup / \+1 1 \d+ ms completed", text)
    assert asked() - before >= 4, "it has to keep itself up to date"
    assert browser.console == []


def test_no_name_is_taken_for_markup(room: ControlRoom, browser: Browser) -> None:
    library = room.add("odd")
    (library.root / "<img src=x onerror=document.title='caught'>").touch()
    room.ctl("sync", "odd")
    (library.root / "turned\u202egpj.exe").touch()
    room.ctl("sync", "odd")
    dom = browser.dom()
    assert "<title>censusd</title>" in dom
    assert "&lt;img src=x onerror=document.title='caught'&gt;" in dom
    assert "turned\\u{202e}gpj.exe" in dom
    assert browser.console == []


def test_the_page_says_when_the_daemon_is_in_trouble(room: ControlRoom, browser: Browser) -> None:
    room.overview = {"fault": "the new configuration is not valid", "ready": False, "trouble": "waiting for a disk"}
    text = text_of_page(browser.dom())
    assert "the new configuration is not valid" in text
    assert "not ready: waiting for a disk" in text
    assert "none yet" in text


def test_the_page_shows_what_the_deep_scan_does(room: ControlRoom, browser: Browser) -> None:
    photos = room.add("photos", files={"known": "x", "broken": "x", "waits": "x"})
    rules = site(photos.root, "photos")
    room.sites["photos"] = rules
    with scanning(room.catalogue, rules, rules=replace(RULES, idle=NEVER_IDLE)) as scanner:
        room.scanner = scanner
        room.ctl("deep-scan", "photos:known", "--wait")
        with room.catalogue.transaction() as cursor:
            cursor.execute(
                "INSERT INTO deep_scan_claims"
                " (repository_id, file_id, change_number, attempts, quarantined_at, last_error)"
                " SELECT repository_id, id, change_number, 3, now(), 'it <b>bites' FROM files WHERE name = 'broken'"
            )
        backlogs = Backlogs(room.catalogue, lambda: room.sites)
        backlogs.count()
        room.overview["queues"] = backlogs.queues()
        text = text_of_page(browser.dom())
        room.scanner = None
    assert re.search(r"Deep scan .* To be read 1 file .* At work on 0 files Given up 1 file", text)
    assert re.search(r"Deep-scanned (–|all|[\d.]+ %)", text)
    assert re.search(r"Files whose content cannot be read .* photos: broken it &lt;b&gt;bites 3 given up", text)
    assert browser.console == []


def test_the_page_shows_how_describing_pictures_stands(room: ControlRoom, browser: Browser, library: Library) -> None:
    room.overview["describe"] = {"state": "off"}
    assert re.search(r'<section id="describe-section"[^>]* hidden', browser.dom())
    add(library, 1, 2)
    with ExitStack() as stack:
        with VisionServer(Model()) as server:
            by = terms(library, server=server, model="a <b>model")
            describer = stack.enter_context(describing(library.repository.catalogue, by))
            until(lambda: describer.status()["described"] == 2)
            room.overview["describe"] = describer.status()
            text = text_of_page(browser.dom())
        said = r"a &lt;b&gt;model http\S+ nothing to do Described 2 pictures Given up 0 pictures Skipped 0 pictures"
        assert re.search(said, text)
        add(library, 3)
        until(lambda: describer.state is State.AWAY)
        room.overview["describe"] = describer.status()
        text = text_of_page(browser.dom())
    assert re.search(r"server away Described 2 pictures .* http://127\.0\.0\.1:\d+ cannot be reached", text)
    assert browser.console == []


def test_the_page_is_light_or_dark_as_its_reader_likes(room: ControlRoom, browser: Browser) -> None:
    assert min(browser.top_left(dark=False)) > 200
    assert max(browser.top_left(dark=True)) < 60


def asked() -> float:
    """How often the status was asked for."""
    return float(metrics.HTTP_REQUESTS.labels("/v1/status", "200")._value.get())


def _first_pixel(png: bytes) -> tuple[int, int, int]:
    """Whatever the filter, the first pixel of a PNG's first line stands there as it is (PNG specification, 9.2)."""
    position, data = 8, b""
    while position < len(png):
        length, kind = struct.unpack_from(">I4s", png, position)
        if kind == b"IDAT":
            data += png[position + 8 : position + 8 + length]
        position += length + 12
    _, red, green, blue = zlib.decompressobj().decompress(data, 4)
    return red, green, blue
