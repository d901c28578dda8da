"""``censusd``: run the daemon or a worker, or check the configuration."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from censusd import __version__
from censusd.config import Config, describe
from censusd.errors import CensusError, ConfigurationError
from censusd.service.assistant import Assistant
from censusd.service.log import visible
from censusd.service.run import Daemon, reader

_OK, _FAILED, _MISUSED = 0, 1, 2
_BEGUN_WITHIN = 10.0
"""Seconds in which a worker finds out that it cannot help; after them, systemd need not wait for it any more."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns the exit status: 0 fine, 1 it failed, 2 it was called wrongly."""
    options = _parser().parse_args(arguments)
    read = reader(options.config, dict(os.environ), getattr(options, "repository", None) or [])
    # Nothing that this process starts has any business with the database's password.
    os.environ.pop("CENSUSD_DATABASE", None)
    try:
        if options.command == "check-config":
            return _check(read())
        config = read()
        if options.command == "worker":
            Daemon(read, lambda config, reload, _: Assistant(config, reload), patience=_BEGUN_WITHIN).run()
            return _OK
        if not config.repositories:
            print(
                "censusd: there is no repository to look after: add a [[repository]] with name and path to "
                f"{config.sources[0] if config.sources else '/etc/censusd/censusd.toml'}, or name a directory with "
                "--repository",
                file=sys.stderr,
            )
            return _MISUSED
        Daemon(read).run()
    except ConfigurationError as error:
        for fault in error.faults:
            print(f"censusd: {visible(str(fault))}", file=sys.stderr)
        return _MISUSED
    except CensusError as error:
        print(f"censusd: {visible(str(error))}", file=sys.stderr)
        return _FAILED
    return _OK


def _check(config: Config) -> int:
    for warning in config.warnings:
        print(f"warning: {visible(str(warning))}", file=sys.stderr)
    print(describe(config), end="")
    return _OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="censusd", description="Keeps a PostgreSQL catalogue true to trees of files, at once and for good."
    )
    parser.add_argument("--version", action="version", version=f"censusd {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the daemon in the foreground; systemd does the same")
    worker = commands.add_parser(
        "worker",
        help="take part in the deep scan of repositories that a daemon on another host looks after",
        description="Takes part in the deep scan of repositories that a daemon on another host looks after: reads the "
        "same trees, mounted here, and writes into the same database. It takes that daemon's configuration, in which "
        "paths and addresses may differ, watches nothing and compares nothing. Start as many as there are hosts.",
    )
    check = commands.add_parser(
        "check-config", help="say everything that is wrong with the configuration, or show what is in force"
    )
    for command in (run, worker, check):
        command.add_argument(
            "--config",
            type=Path,
            action="append",
            metavar="FILE",
            help="a configuration file instead of /etc/censusd/censusd.toml; *.toml in conf.d beside it are read too",
        )
    run.add_argument(
        "--repository",
        type=Path,
        action="append",
        metavar="DIRECTORY",
        help="a directory to look after, besides those in the configuration; may be repeated",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
