from __future__ import annotations

from pathlib import Path

from censusd.config import ChangeKind, Config, Difference, differences
from tests.unit.config.conftest import Load


def test_what_a_reload_has_to_do(load_text: Load, tmp_path: Path) -> None:
    text = """
        [database]
        dsn = "{dsn}"
        pool_max = {pool}
        [daemon]
        log_level = "{level}"
        [defaults]
        debounce = "{debounce}"
        [[repository]]
        name = "stays"
        path = "/nowhere/stays"
        debounce = "1s"
        [[repository]]
        name = "inherits"
        path = "/nowhere/inherits"
        exclude = {exclude}
        [[repository]]
        name = "{other}"
        path = "/nowhere/other"
    """
    old = load_text(
        text.format(dsn="host=a password=hunter2", pool=8, level="info", debounce="1s", exclude=[], other="x")
    )
    new = load_text(
        text.format(dsn="host=a password=hunter3", pool=9, level="debug", debounce="2s", exclude=["b"], other="y")
    )
    found = differences(old, new)
    assert found == (
        Difference(ChangeKind.CHANGED, "database", keys=("dsn", "pool_max"), restart_keys=("dsn",)),
        Difference(ChangeKind.CHANGED, "daemon", keys=("log_level",)),
        Difference(ChangeKind.CHANGED, "repository", "inherits", keys=("exclude", "debounce")),
        Difference(ChangeKind.REMOVED, "repository", "x"),
        Difference(ChangeKind.ADDED, "repository", "y"),
    )
    assert [difference.needs_restart for difference in found] == [True, False, False, False, False]
    assert [str(difference) for difference in found] == [
        "database changed: dsn, pool_max (needs a restart: dsn)",
        "daemon changed: log_level",
        "repository[inherits] changed: exclude, debounce",
        "repository[x] removed",
        "repository[y] added",
    ]


def test_what_makes_no_difference(load_text: Load, tmp_path: Path) -> None:
    def two(first: str, second: str, settings: str, defaults: str = "") -> Config:
        one, other = (
            f'[[repository]]\nname = "{name}"\npath = "{tmp_path}/{name}"\n{settings}\n' for name in (first, second)
        )
        return load_text(f"[defaults]\n{defaults}\n{one}{other}")

    old = two("a", "b", 'debounce = "500ms"\nmissing_grace = "30 days"')
    (tmp_path / "a").mkdir()
    for new in (two("b", "a", ""), two("a", "b", "debounce = 0.5"), two("a", "b", "watch = 'auto'", "watch = 'poll'")):
        assert old == new
        assert hash(old) == hash(new)
        assert differences(old, new) == ()
    assert old.warnings != new.warnings
