"""Extractors for tests: they do to their worker process what a file tells them to.

A file for them is ``!`` and a Python expression. It is evaluated with ``source``, ``os``, ``time`` and the like, and
what it gives is put into the details, so that a test may ask what a worker process can do.
"""

from __future__ import annotations

import ctypes
import os
import socket
import subprocess
import threading
import time
from typing import Any

from censusd.extractors.base import Entity, EntityKind, Extraction, Kind, Source
from censusd.model import Problem, ProblemKind


class Obedient:
    """Does what a file says."""

    name = "obedient"
    version = 1
    siblings = frozenset({"note.txt"})

    def takes(self, head: bytes, name: str) -> bool:
        return head.startswith(b"!")

    def extract(self, source: Source) -> Extraction | Problem:
        text = source.file.read()[1:].decode()
        found = eval(text, {**globals(), "source": source})
        if isinstance(found, (Extraction, Problem)):
            return found
        return Extraction(Kind.DOCUMENT, "text/x-test", details={"found": found})


class Newer(Obedient):
    """The same, a version later."""

    version = 2


class Poet:
    """Takes poems: a title, and authors, a line each."""

    name = "poet"
    version = 1
    siblings: frozenset[str] = frozenset()

    def takes(self, head: bytes, name: str) -> bool:
        return head.startswith(b"poem\n")

    def extract(self, source: Source) -> Extraction | Problem:
        _, title, *authors = source.file.read().decode("utf-8", "surrogateescape").splitlines()
        entities = tuple(Entity(EntityKind.PERSON, name, "author", n) for n, name in enumerate(authors))
        return Extraction(Kind.BOOK, "text/x-poem", title=title, entities=entities, language="en")


def attempt(call: Any, *arguments: Any) -> str:
    """The name of the error that a call gives, or ``done``."""
    try:
        call(*arguments)
    except OSError as error:
        return type(error).__name__
    return "done"


def segfault() -> None:
    """End the process as a broken library does."""
    ctypes.string_at(0)


def spin() -> None:
    """Never come back."""
    while True:
        pass


def eat() -> int:
    """Take all the memory there is."""
    eaten = []
    while True:
        eaten.append(bytearray(64 << 20))


_ = os, socket, subprocess, threading, time, ProblemKind
