"""What the manuals show is what there is: commands, options, keys, names, messages, places."""

from __future__ import annotations

import argparse
import ast
import itertools
import os
import re
import shlex
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from censusd.cli import censusctl, daemon
from censusd.config import load
from censusd.config.rendering import own_settings
from censusd.config.schema import TABLES
from censusd.config.settings import settings_of
from generators.configuration_page import configuration_page
from tests.tools.manuals import CHECKOUT, DOCS, MAN_PAGES, PAGES, Block, blocks, commands, plain, prose

PARSERS = {"censusd": daemon._parser(), "censusctl": censusctl._parser()}
SHOWN = [block for page in PAGES for block in blocks(page)]


def of(*languages: str) -> list[Block]:
    return [block for block in SHOWN if block.language in languages]


# The man pages --------------------------------------------------------------------------------------------------------


def test_the_page_on_the_configuration_is_what_its_declaration_says() -> None:
    page = DOCS / "man" / "censusd.toml.5"
    assert page.read_text() == configuration_page(), "run make generate"


def test_every_key_stands_under_its_table() -> None:
    text = plain((DOCS / "man" / "censusd.toml.5").read_text())
    sections = dict(re.findall(r"^\.SS (\S+)\n(.*?)(?=^\.S[SH] )", text, re.MULTILINE | re.DOTALL))
    tables = {f"[{name}]": list(settings_of(table)) for name, table in TABLES.items()}
    tables["[[repository]]"] = list(own_settings())
    for name, keys in tables.items():
        assert re.findall(r"^\.B (\w+) = ", sections[name], re.MULTILINE) == keys


@pytest.mark.parametrize("program", sorted(PARSERS))
def test_every_command_and_option_is_described_and_no_other(program: str) -> None:
    text = plain(next(page for page in MAN_PAGES if page.stem == program).read_text())
    described = re.findall(r"^\.(?:B|BI|BR) (.*)", text[text.index(".SH COMMANDS") :], re.MULTILINE)
    names = {line.strip('"').split()[0].strip('"') for line in described}
    for name in subcommands(PARSERS[program]):
        assert name in names, f"{program} {name}"
    options = set(itertools.chain.from_iterable(map(options_of, parsers_of(PARSERS[program]))))
    for option in options:
        assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), f"{program} {option}"
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= options


def test_each_option_of_censusctl_stands_with_its_command() -> None:
    text = plain((DOCS / "man" / "censusctl.1").read_text())
    common = options_of(PARSERS["censusctl"])
    for name, parser in subcommands(PARSERS["censusctl"]).items():
        (entry,) = re.findall(
            rf'^\.(?:B|BR) "?{re.escape(name)}[ "\n].*?(?=^\.TP\n\.BR? |^\.S[SH] )', text, re.MULTILINE | re.DOTALL
        )
        whole = text[text.index(entry) :]
        nested = whole[: whole.index(".RE\n")] if ".RS" in whole[: len(entry) + 5] else entry
        for option in options_of(parser) - common:
            assert option in entry or option in nested, f"{name} {option}"


def test_every_variable_of_ours_is_described() -> None:
    pages = "".join(page.read_text() for page in MAN_PAGES)
    code = "".join(path.read_text() for path in (CHECKOUT / "daemon").rglob("*.py"))
    used = set(re.findall(r"\"(CENSUSD_[A-Z_]+)\"", code))
    assert used
    assert used == set(re.findall(r"CENSUSD_[A-Z_]+", pages))


@pytest.mark.parametrize("page", MAN_PAGES, ids=lambda page: page.name)
def test_groff_and_mandoc_have_nothing_to_say(page: Path) -> None:
    checkers = [["groff", "-man", "-ww", "-Tutf8", "-Z"], ["mandoc", "-Tlint", "-Wwarning"]]
    there = [checker for checker in checkers if shutil.which(checker[0])]
    if not there:
        pytest.skip("neither groff nor mandoc is installed")
    for checker in there:
        done = subprocess.run([*checker, page], capture_output=True, text=True, check=False)
        complaints = done.stderr + (done.stdout if checker[0] == "mandoc" else "")
        assert not complaints, complaints


@pytest.mark.parametrize("page", MAN_PAGES, ids=lambda page: page.name)
def test_examples_in_man_pages_are_right(page: Path, tmp_path: Path) -> None:
    for example in re.findall(r"^\.EX\n(.*?)^\.EE", plain(page.read_text()), re.MULTILINE | re.DOTALL):
        if example.startswith("["):
            check_configuration(example, tmp_path)
        else:
            assert [check_command(*call) for call in commands(example)], example


# The other pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of("toml"), ids=str)
def test_every_configuration_can_be_used(block: Block, tmp_path: Path) -> None:
    assert "[[repository]]" in block.text, "a preset is complete"
    check_configuration(block.text, tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_can_be_called_like_that(page: Path) -> None:
    shown = "".join(block.text for block in blocks(page, "sh"))
    inline = "\n".join(re.findall(r"`([^`\n]+)`", prose(page)))
    for call in commands(shown):
        check_command(*call)
    for program, arguments in commands(inline):
        # In a sentence, a command can be named without what it would need.
        if arguments not in subcommands(PARSERS[program]):
            check_command(program, arguments)
    for target in re.findall(r"(?:^|`)make ([a-z]+)", shown + prose(page), re.MULTILINE):
        assert re.search(rf"^{target}:", (CHECKOUT / "Makefile").read_text(), re.MULTILINE), target
    for setting in re.findall(r"fs\.inotify\.\w+", shown + prose(page)):
        assert Path("/proc/sys", setting.replace(".", "/")).exists(), setting
    for unit in re.findall(r"systemctl (?:start|stop|restart|reload|status|enable --now) (\S+)", shown):
        assert (CHECKOUT / "systemd" / f"{re.sub('@.*', '@', unit)}.service").exists(), unit


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_name_is_one_of_ours(page: Path) -> None:
    tables = [*map(settings_of, TABLES.values()), own_settings()]
    known = set(itertools.chain.from_iterable(tables))
    known |= set(re.findall(r"\w+", "".join(path.read_text() for path in (CHECKOUT / "daemon").rglob("*.sql"))))
    known |= {"pg_dump", "pg_restore", "transaction_timeout", "search_path", "postgres_fdw"}  # PostgreSQL's
    for name, value in re.findall(r"`([a-z]+(?:_[a-z]+)+)(?: = ([^`]+))?`", prose(page)):
        assert name in known, name
        if value:
            check_value(name, value)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", prose(page)):
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", prose(there), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


def test_the_index_has_every_page() -> None:
    index = (DOCS / "README.md").read_text()
    for page in (*DOCS.glob("*.md"), *MAN_PAGES, DOCS / "runbooks"):
        if page.name != "README.md":
            assert f"({page.relative_to(DOCS)}{'/' if page.is_dir() else ''})" in index, page


@pytest.mark.parametrize(
    "line", [line for block in of("text") if block.page.stem == "troubleshooting" for line in block.text.splitlines()]
)
def test_messages_are_the_programs_own(line: str) -> None:
    assert share_said_by_the_program(line) > 0.6


def test_reasons_in_tables_are_the_programs_own() -> None:
    text = prose(DOCS / "troubleshooting.md")
    quoted = re.findall(
        r"`([a-z][^`]* [^`]* [^`]*)`", "\n".join(line for line in text.splitlines() if line.startswith("|"))
    )
    assert len(quoted) >= 10
    for reason in quoted:
        assert share_said_by_the_program(reason) > 0.6, reason


# How it is checked ----------------------------------------------------------------------------------------------------


def subcommands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    return {
        name: made
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, made in action.choices.items()
    }


def parsers_of(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    return [parser, *subcommands(parser).values()]


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for action in parser._actions for option in action.option_strings}


def check_configuration(text: str, directory: Path) -> None:
    """See that a configuration can be used, and that it says nothing that is the default."""
    (directory / "censusd.toml").write_text(text)
    config = load([directory / "censusd.toml"], {"STATE_DIRECTORY": os.fspath(directory)})
    assert not [warning for warning in config.warnings if "does not exist" not in str(warning)]


def check_command(program: str, arguments: str) -> str:
    """See that a program takes these arguments."""
    words = [word for word in shlex.split(arguments.replace("…", "")) if not word.startswith("#")]
    PARSERS[program].parse_args(words)
    return program


def check_value(key: str, value: str) -> None:
    """See that a key may have a value, as TOML has it."""
    settings = [table[key] for table in [*map(settings_of, TABLES.values()), own_settings()] if key in table]
    assert settings, key
    read = ast.literal_eval(value.replace("true", "True").replace("false", "False"))
    for setting in settings:
        setting.kind.read(read)


def share_said_by_the_program(line: str) -> float:
    """How much of a message, but for … and what is filled in, is in texts of the program."""
    said = [False] * len(line)
    for text in filter(line.__contains__, texts()):
        for match in re.finditer(re.escape(text), line):
            said[match.start() : match.end()] = [True] * len(text)
    counts = [said[place] for place, character in enumerate(line) if character not in " …"]
    return sum(counts) / len(counts)


@cache
def texts() -> tuple[str, ...]:
    """What the program can say: each of its texts of some length, cut where something is filled in."""
    found = {
        node.value
        for path in (CHECKOUT / "daemon" / "censusd").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) >= 4
    }
    return tuple(sorted(found))
