"""The log: key=value for a terminal, JSON under systemd, one event per fact, no line that a file name could forge."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

import structlog

_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (0, 7))
"""The least level of the standard library, and syslog's number for it."""

_UNPRINTABLE: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    # What turns the direction of text around, or breaks lines elsewhere than a newline does.
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def set_up(level: str = "info", form: str = "auto") -> None:
    """Configure structlog and the standard library's logging, for the whole process. May be called again.

    Args:
        level: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``console``, ``json``, or ``auto``: console on a terminal.
    """
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if console else "iso", utc=not console),
        structlog.processors.format_exc_info,
        printable,
        in_order,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=12, sort_keys=False)
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    formatter = _JournalFormatter if _is_journal(sys.stderr) else structlog.stdlib.ProcessorFormatter
    handler.setFormatter(
        formatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[level])
    # They tell of each job and each retry; what matters of that is told in our own words.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


class _JournalFormatter(structlog.stdlib.ProcessorFormatter):
    """Says before each line how bad it is, as sd-daemon(3) has it, so that ``journalctl -p warning`` finds it."""

    def format(self, record: logging.LogRecord) -> str:
        prefix = f"<{next(number for level, number in _PRIORITIES if record.levelno >= level)}>"
        return prefix + super().format(record).replace("\n", f"\n{prefix}")


def _is_journal(stream: TextIO) -> bool:
    """Whether a stream goes to systemd's journal: systemd.exec(5), ``$JOURNAL_STREAM``."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{found.st_dev}:{found.st_ino}"


def printable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Make everything that a terminal or a log reader could take for its own visible instead."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = visible(value)
    return event


def in_order(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """What every line has comes first: when, how bad, what."""
    first = {key: event.pop(key) for key in ("timestamp", "level", "event") if key in event}
    return {**first, **event}


def visible(text: str) -> str:
    """Text with control characters, and those that turn its direction around, written as escapes."""
    return text.translate(_UNPRINTABLE)
