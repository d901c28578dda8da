"""Errors of the operating system as problems: none of them is proof of anything, but that a name is not there."""

from __future__ import annotations

import errno
import os

import pytest

from censusd.filesystem.problems import problem_of
from censusd.filesystem.walk import has_vanished
from censusd.model import Problem, ProblemKind


@pytest.mark.parametrize("number", sorted(errno.errorcode))
def test_only_three_errors_say_that_there_is_no_such_directory(number: int) -> None:
    problem = problem_of(OSError(number, os.strerror(number)))
    assert has_vanished(problem) == (number in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
    assert problem.detail == f"{os.strerror(number)} ({errno.errorcode[number]})"


def test_an_error_without_a_number_is_a_problem_too() -> None:
    assert problem_of(OSError("what now")) == Problem(ProblemKind.OTHER, "what now")
    assert problem_of(OSError(99999, "no such error")) == Problem(ProblemKind.OTHER, "no such error (errno 99999)")


def test_an_error_may_say_more_than_the_kernel() -> None:
    assert problem_of(OSError(errno.EACCES, "its rules are closed")).detail == "its rules are closed (EACCES)"
