"""The lock files hold what pyproject.toml asks for, exactly, and nothing of where it came from."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CHECKOUT = Path(__file__).resolve().parents[2]
LOCKS = ("build.lock", "environment.lock")


def entries(lock: str) -> dict[str, tuple[Requirement, int]]:
    """Name -> (the requirement, how many hashes it has)."""
    text = (CHECKOUT / ".ci" / lock).read_text()
    lines = re.sub(r"^ *#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", "").splitlines()
    parsed = [(Requirement(line.partition("--hash")[0]), line.count("--hash=sha256:")) for line in lines]
    return {canonicalize_name(requirement.name): (requirement, hashes) for requirement, hashes in parsed}


def version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


def test_everything_that_is_asked_for_is_locked_within_its_range() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += [project["build-system"]["requires"], *project["dependency-groups"].values()]
    locked = entries("environment.lock")

    for wanted in (Requirement(text) for group in groups for text in group):
        requirement, _ = locked[canonicalize_name(wanted.name)]
        assert wanted.specifier.contains(version(requirement)), f"{wanted}: run `make lock`"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_version_is_exact_and_has_its_hashes(lock: str) -> None:
    for requirement, hashes in entries(lock).values():
        assert version(requirement)
        assert hashes > 0, requirement


def test_both_locks_agree() -> None:
    everything = entries("environment.lock")

    for name, (requirement, _) in entries("build.lock").items():
        assert version(requirement) == version(everything[name][0])


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_a_registry(lock: str) -> None:
    assert "://" not in (CHECKOUT / ".ci" / lock).read_text()
