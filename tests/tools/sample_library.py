"""Makes the library that `make run` shows when it is given none: some hundred small files as people keep them.

Usage: python -m tests.tools.sample_library DIRECTORY

The files are real (see ``tiny_files``), the names have spaces, accents and other scripts in them, and the times lie
years back. Nothing depends on the clock or on chance, so every library made is the same.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.tools import tiny_files


class SampleFile(NamedTuple):
    """One file of the library: its path, its content, and when it was last changed."""

    path: str
    content: bytes
    time: datetime


OUTINGS = (
    ("2016", "2016-08-13 Höga Kusten", "Canon", "EOS 70D", 14),
    ("2018", "2018-04-30 Walpurgis night", "Canon", "EOS 70D", 9),
    ("2019", "2019-07-21 Sommer an der Ostsee", "FUJIFILM", "X-T3", 17),
    ("2021", "2021-10-02 Zoë's birthday", "Apple", "iPhone 12", 12),
    ("2022", "2022-02-11 北海道", "FUJIFILM", "X-T3", 16),
    ("2024", "2024-05-17 Łódź & Kraków", "Google", "Pixel 8", 18),
)
PROMPTS = (
    "a lighthouse in a storm, oil painting",
    "portrait of an old clockmaker, rim light",
    "isometric library of glass",
    "a fox asleep in the snow, 35mm",
    "cutaway drawing of a submarine, ink",
)
COMICS = (
    ("The Lantern Keepers", 2017, "Ada Marlowe", 8),
    ("Capitaine Brume", 2009, "René Févre", 5),
    ("わたしの庭", 2013, "森 あおい", 6),
)
BOOKS = (
    ("Jane Austen", "Pride and Prejudice", "en"),
    ("Jane Austen", "Persuasion", "en"),
    ("Émile Zola", "Germinal", "fr"),
    ("Émile Zola", "Au Bonheur des Dames", "fr"),
    ("Johann Wolfgang von Goethe", "Die Leiden des jungen Werthers", "de"),
    ("Selma Lagerlöf", "Gösta Berlings saga", "sv"),
    ("Лев Толстой", "Анна Каренина", "ru"),
    ("夏目 漱石", "こころ", "ja"),
)
ALBUMS = (
    ("Music", "The Paper Moons", "Slow Trains", 2011, 9),
    ("Music", "The Paper Moons", "Live at the Boathouse", 2014, 12),
    ("Music", "Sólveig Árnadóttir", "Vetrarljós", 2019, 7),
    ("Music", "Various Artists", "Kitchen Dancing, Vol. 2", 2022, 14),
    ("Audiobooks", "Arthur Conan Doyle", "A Study in Scarlet", 2006, 14),
    ("Audiobooks", "Mary Shelley", "Frankenstein; or, The Modern Prometheus", 2012, 24),
)
MANUALS = ("Coffee grinder", "Bicycle, care & repair", "Heizung – Bedienungsanleitung")


def photos(random: Random) -> Iterator[SampleFile]:
    """Outings with a camera, and a folder of pictures that somebody copied and never sorted."""
    number, kept = 2034, None
    for year, folder, make, model, count in OUTINGS:
        time = datetime.fromisoformat(f"{folder[:10]}T10:00:00+00:00")
        for _ in range(count):
            time += timedelta(minutes=random.randrange(1, 40), seconds=random.randrange(60))
            number += random.randrange(1, 5)
            content = tiny_files.jpeg(tiny_files.landscape(random), make, model, f"{time:%Y:%m:%d %H:%M:%S}")
            kept = SampleFile(f"Photos/{year}/{folder}/IMG_{number}.jpg", content, time)
            yield kept
        if kept:
            yield SampleFile(f"Photos/To sort/IMG_{number} (copy).jpg", kept.content, time)


def generated_images(random: Random) -> Iterator[SampleFile]:
    """Images that two well-known generators would have made, with their prompts inside."""
    for number in range(40):
        time = datetime(2024, 3, 11, 21, tzinfo=UTC) + timedelta(hours=7 * number)
        prompt, seed = PROMPTS[number % len(PROMPTS)], random.randrange(2**32)
        picture = tiny_files.landscape(random)
        if number % 2:
            text, path = tiny_files.workflow(prompt, seed), f"comfyui/ComfyUI_{number:05}_.png"
        else:
            text, path = tiny_files.generation(prompt, seed), f"txt2img/{time:%Y-%m-%d}/{number:05}-{seed}.png"
        yield SampleFile(f"AI images/{path}", tiny_files.png(picture, text), time)


def comics(random: Random) -> Iterator[SampleFile]:
    """Series of comics, a few pages each."""
    for series, year, writer, count in COMICS:
        for number in range(1, count + 1):
            pages = [tiny_files.png(tiny_files.landscape(random, 20, 30)) for _ in range(3)]
            content = tiny_files.cbz(series, number, year, writer, pages)
            path = f"Comics/{series} ({year})/{series} #{number:03} ({year}).cbz"
            yield SampleFile(path, content, datetime(year, number, 3, 12, tzinfo=UTC))


def books(random: Random) -> Iterator[SampleFile]:
    """Novels with their covers, and manuals."""
    for number, (author, title, language) in enumerate(BOOKS):
        time = datetime(2015 + number, 5, 1, 20, tzinfo=UTC)
        cover = tiny_files.png(tiny_files.landscape(random, 20, 30))
        yield SampleFile(f"Books/{author}/{title}/{title}.epub", tiny_files.epub(title, author, language, cover), time)
        yield SampleFile(f"Books/{author}/{title}/cover.png", cover, time)
    for title in MANUALS:
        content = tiny_files.pdf(title, "The manufacturer")
        yield SampleFile(f"Books/Manuals/{title}.pdf", content, datetime(2020, 11, 28, tzinfo=UTC))


def albums(random: Random) -> Iterator[SampleFile]:
    """Music and audiobooks, and a few recordings without any tags."""
    for kind, artist, album, year, count in ALBUMS:
        time = datetime(year, 9, 9, 18, tzinfo=UTC)
        for track in range(1, count + 1):
            title = f"Chapter {track}" if kind == "Audiobooks" else f"Song {track}"
            content = tiny_files.mp3(title, artist, album, track, year)
            yield SampleFile(f"{kind}/{artist}/{album} ({year})/{track:02} {title}.mp3", content, time)
        cover = tiny_files.jpeg(tiny_files.landscape(random, 24, 24), "", "", f"{time:%Y:%m:%d %H:%M:%S}")
        yield SampleFile(f"{kind}/{artist}/{album} ({year})/cover.jpg", cover, time)
    for number in range(12):
        content = tiny_files.wav(220 * 2 ** (number / 12))
        path = f"Music/Field recordings/{number:02} half-tone above a.wav"
        yield SampleFile(path, content, datetime(2023, 1, 1, number, tzinfo=UTC))


def measurements(random: Random) -> Iterator[SampleFile]:
    """Three years of a weather station, a file a month."""
    for month in range(36):
        time = datetime(2021 + month // 12, month % 12 + 1, 28, tzinfo=UTC)
        lines = [f"{time:%Y-%m}-{day:02},{random.gauss(7, 6):.1f}" for day in range(1, 29)]
        content = "\n".join(["date,temperature_c", *lines, ""]).encode()
        yield SampleFile(f"Research/Station Åre/{time:%Y}/temperature-{time:%Y-%m}.csv", content, time)


def sample_files() -> Iterator[SampleFile]:
    """Everything in the library."""
    for seed, family in enumerate((photos, generated_images, comics, books, albums, measurements)):
        yield from family(Random(seed))


def make_library(target: Path) -> int:
    """Put the library at ``target``, all at once, unless something is there already.

    Returns:
        How many files were made; 0 if ``target`` was there.

    Raises:
        OSError: it cannot be written.
    """
    if target.exists():
        return 0
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent))
    try:
        partial.chmod(0o755)
        samples = list(sample_files())
        for sample in samples:
            path = partial / sample.path
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(sample.content)
            os.utime(path, (sample.time.timestamp(), sample.time.timestamp()))
        partial.rename(target)
    except OSError:
        # Another process may have put one there meanwhile, which is as good.
        if target.exists():
            return 0
        raise
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return len(samples)


def main() -> None:
    """Make the library that the command line names."""
    target = Path(sys.argv[1])
    count = make_library(target)
    if count:
        print(f"Put a sample library of {count} files into {target}")


if __name__ == "__main__":
    main()
