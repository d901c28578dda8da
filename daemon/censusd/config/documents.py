"""Configuration files: which there are, and what TOML is in them."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from censusd.config.words import printable
from censusd.errors import Fault

DEFAULT_FILE: Final = Path("/etc/censusd/censusd.toml")
"""What is read when no file is named. It need not exist."""

DROP_IN_DIRECTORY: Final = "conf.d"
"""Beside each configuration file; its ``*.toml`` are read after it, in the order of their names."""

_LARGEST_FILE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Document:
    """One configuration file that could be parsed.

    Attributes:
        file: its path, for people.
        content: the TOML document.
        world_readable: whether every user of the system may read it.
    """

    file: str
    content: dict[str, Any]
    world_readable: bool


def read_documents(paths: Sequence[Path] | None, faults: list[Fault]) -> list[Document]:
    """Read the named files, or the default one, and the drop-ins beside them; what cannot be read becomes a fault."""
    named = [DEFAULT_FILE] if paths is None else list(paths)
    if paths is None and not os.path.lexists(DEFAULT_FILE):
        named = []
    directories = [DEFAULT_FILE.parent] if paths is None else [path.parent for path in named]
    files = list(named)
    for directory in directories:
        files += _drop_ins(directory / DROP_IN_DIRECTORY, faults)
    documents = (_read(file, faults) for file in dict.fromkeys(files))
    return [document for document in documents if document]


def _drop_ins(directory: Path, faults: list[Fault]) -> list[Path]:
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        faults.append(Fault(printable(directory), "", f"cannot be read: {_reason(error)}"))
        return []
    # As for a shell's *.toml, names with a leading dot do not count: editors leave such files behind.
    return [directory / name for name in names if name.endswith(".toml") and not name.startswith(".")]


def _read(path: Path, faults: list[Fault]) -> Document | None:
    file = printable(path)
    try:
        data, mode = _content(path)
        text = data.decode()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        faults.append(
            Fault(file, "", f"expected UTF-8; found the byte 0x{error.object[error.start]:02x} on line {line}")
        )
        return None
    except (OSError, ValueError) as error:
        faults.append(Fault(file, "", f"cannot be read: {_reason(error)}"))
        return None
    try:
        return Document(file, tomllib.loads(text), bool(mode & stat.S_IROTH))
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(file, "", f"expected TOML: {printable(_with_position(error, text))}"))
    except ValueError:  # from int()
        faults.append(Fault(file, "", "expected TOML: it contains a number of thousands of digits"))
    except RecursionError:
        faults.append(Fault(file, "", "expected TOML: it is nested too deeply"))
    return None


def _content(path: Path) -> tuple[bytes, int]:
    """The bytes and the mode of a file that is worth reading. Never waits for the other end of a FIFO."""
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(fd).st_mode
        if not stat.S_ISREG(mode):
            raise ValueError(f"expected a file, found a {'directory' if stat.S_ISDIR(mode) else 'device or a pipe'}")
        with open(fd, "rb", closefd=False) as stream:
            data = stream.read(_LARGEST_FILE + 1)
    finally:
        os.close(fd)
    if len(data) > _LARGEST_FILE:
        raise ValueError("expected at most 1 MiB")
    return data, mode


def _with_position(error: tomllib.TOMLDecodeError, text: str) -> str:
    """The parser's message, with line and column for the end of the document too."""
    lines = text.split("\n")
    end = f"at line {len(lines)}, column {len(lines[-1]) + 1}, the end of the document"
    return str(error).replace("at end of document", end)


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
