"""No file name can forge a line of the log, and the journal is told how bad each is."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censusd.service.log import visible


@given(st.text())
def test_what_is_shown_is_one_printable_line(text: str) -> None:
    shown = visible(text)
    assert len(shown.splitlines()) <= 1
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in shown)


def test_what_is_harmless_stays() -> None:
    assert visible("Ünïcode 写真/it's a file (1).jpg") == "Ünïcode 写真/it's a file (1).jpg"
    assert visible("a\nREADY=1\x1b[31m") == "a\\x0aREADY=1\\x1b[31m"
    assert visible("gpj.\u202eexe") == "gpj.\\u202eexe"


LOGGING = """
import structlog
from censusd.service import log
log.set_up("debug", "{form}")
logger = structlog.get_logger()
logger.debug("d"), logger.info("i"), logger.warning("w"), logger.error("e")
try:
    raise ValueError
except ValueError:
    logger.exception("several lines")
"""


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("journal", [True, False])
def test_the_journal_is_told_how_bad_a_line_is(form: str, journal: bool) -> None:
    reading, writing = os.pipe()
    with open(reading, encoding="utf-8") as lines:
        found = os.fstat(writing)
        # A child may have the variable from a parent whose standard error goes elsewhere.
        stream = f"{found.st_dev}:{found.st_ino if journal else found.st_ino + 1}"
        environment = os.environ | {"JOURNAL_STREAM": stream}
        command = [sys.executable, "-c", LOGGING.format(form=form)]
        with open(writing, "wb") as stderr:
            subprocess.run(command, stderr=stderr, env=environment, check=True)
        told = [line[:3] for line in lines]
    if journal:
        assert told[:4] == ["<7>", "<6>", "<4>", "<3>"]
        assert set(told[4:]) == {"<3>"}
    else:
        assert not any(line.startswith("<") for line in told)
