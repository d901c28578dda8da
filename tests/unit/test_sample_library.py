from __future__ import annotations

import io
import subprocess
import sys
import wave
import zipfile
import zlib
from pathlib import Path

from tests.tools.sample_library import make_library, sample_files

CHECKOUT = Path(__file__).resolve().parents[2]


def contents(library: Path) -> dict[str, bytes]:
    return {str(path.relative_to(library)): path.read_bytes() for path in library.rglob("*") if path.is_file()}


def test_every_library_is_the_same_and_its_times_lie_in_the_past(tmp_path: Path) -> None:
    assert make_library(tmp_path / "one") == make_library(tmp_path / "two") > 300

    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    made = tmp_path.stat().st_mtime
    assert all(path.stat().st_mtime < made - 86_400 for path in tmp_path.rglob("*") if path.is_file())


def test_what_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "mine.txt").write_text("mine")

    assert make_library(library) == 0

    assert contents(library) == {"mine.txt": b"mine"}


def test_two_at_once_leave_one_whole_library(tmp_path: Path) -> None:
    library = tmp_path / "a library"
    command = [sys.executable, "-m", "tests.tools.sample_library", str(library)]
    makers = [subprocess.Popen(command, cwd=CHECKOUT) for _ in range(2)]

    assert [maker.wait(timeout=60) for maker in makers] == [0, 0]

    assert contents(library) == {sample.path: sample.content for sample in sample_files()}
    assert list(tmp_path.iterdir()) == [library]


def test_the_files_are_what_their_names_say(tmp_path: Path) -> None:
    make_library(tmp_path / "library")

    for path, content in contents(tmp_path / "library").items():
        match Path(path).suffix:
            case ".jpg":
                assert content.startswith(b"\xff\xd8\xff\xe1")
                assert content.endswith(b"\xff\xd9")
            case ".png":
                start = content.index(b"IDAT")
                length = int.from_bytes(content[start - 4 : start])
                assert zlib.decompress(content[start + 4 : start + 4 + length])
            case ".cbz" | ".epub":
                assert zipfile.ZipFile(io.BytesIO(content)).testzip() is None
            case ".mp3":
                assert content.startswith(b"ID3\x03")
            case ".wav":
                with wave.open(io.BytesIO(content)) as sound:
                    assert sound.getnframes() > 0
            case ".pdf":
                assert content.endswith(b"%%EOF\n")
            case suffix:
                assert suffix == ".csv"
                assert content.startswith(b"date,")
