"""A real Prometheus as a process of its own, that scrapes what it is told. On Debian: apt install prometheus."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.tools.rule_files import RULE_FILES
from tests.tools.waiting import until

PROMETHEUS = shutil.which("prometheus")
PROMTOOL = shutil.which("promtool")
STOP_WITHIN = 30.0


class Prometheus:
    """One Prometheus with this project's rules, which asks every second; stopped when the block is left.

    Args:
        directory: where its data and log go.
        targets: host:port of every censusd.
    """

    def __init__(self, directory: Path, targets: list[str]) -> None:
        self._directory = directory
        self._targets = targets
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as attempt:
            attempt.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{attempt.getsockname()[1]}"

    def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples that a query has at this moment.

        Raises:
            ValueError: Prometheus does not understand it, and why.
        """
        result = self._ask("query", query=expr)["result"]
        # A number has no series.
        return result if isinstance(result, list) and all(isinstance(one, dict) for one in result) else [{}]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule that it has loaded, with its health."""
        return [rule for group in self._ask("rules")["groups"] for rule in group["rules"]]

    def targets(self) -> list[dict[str, Any]]:
        """What it scrapes, with their health."""
        found: list[dict[str, Any]] = self._ask("targets")["activeTargets"]
        return found

    def __enter__(self) -> Self:
        assert PROMETHEUS
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(path) for path in RULE_FILES],
            "scrape_configs": [{"job_name": "censusd", "static_configs": [{"targets": self._targets}]}],
        }
        path = self._directory / "prometheus.yml"
        path.write_text(json.dumps(config))  # which is YAML as well
        command = [PROMETHEUS, f"--config.file={path}", f"--web.listen-address={self.address}"]
        command.append(f"--storage.tsdb.path={self._directory / 'data'}")
        with (self._directory / "prometheus.log").open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(self._is_ready)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_WITHIN)

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._directory / "prometheus.log").read_text()
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://{self.address}/-/ready", timeout=5) as answer,
        ):
            return bool(answer.status == 200)
        return False

    def _ask(self, what: str, **arguments: str) -> Any:
        url = f"http://{self.address}/api/v1/{what}"
        data = urllib.parse.urlencode(arguments).encode() if arguments else None
        try:
            with urllib.request.urlopen(url, data, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(f"{arguments}: {error.read().decode()}") from error


def promtool(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run promtool, with ``text`` to read."""
    assert PROMTOOL
    return subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True, timeout=60, check=False)
