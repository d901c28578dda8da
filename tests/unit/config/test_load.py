"""What a good configuration becomes: defaults, merging, and what comes from the environment."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from censusd.config import Address, Config, documents, load
from censusd.errors import ConfigurationError
from tests.unit.config.conftest import Load


def test_an_empty_configuration_is_valid_and_has_the_defaults(load_text: Load, file: Path) -> None:
    config = load_text()
    assert config.repositories == ()
    assert config.warnings == ()
    assert config.sources == (str(file),)
    assert config.database.dsn is None
    assert config.database.pool_max == 8
    assert config.database.connect_timeout == 10.0
    assert config.daemon.log_level == "info"
    assert config.control.socket_mode == 0o660
    assert config.http.listen == Address("127.0.0.1", 9764)
    defaults = config.defaults
    assert (defaults.debounce, defaults.max_latency, defaults.lease_ttl) == (0.5, 5.0, 30.0)
    assert (defaults.reconcile_min, defaults.reconcile_interval, defaults.reconcile_max) == (3600.0, 86400.0, 604800.0)
    assert (defaults.reconcile_jitter, defaults.breaker_percent, defaults.breaker_files) == (10.0, 20.0, 1000)
    assert (defaults.exclude, defaults.protected, defaults.ignore_file, defaults.marker) == (
        (),
        (),
        ".censusignore",
        "",
    )
    assert defaults.missing_grace == 30 * 86400.0


def test_every_value_is_frozen(load_text: Load) -> None:
    config = load_text()
    for table in (config, config.database, config.defaults):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(table, dataclasses.fields(table)[0].name, None)


def test_a_repository_has_its_own_settings_over_those_of_defaults_over_the_built_in(
    load_text: Load, tmp_path: Path
) -> None:
    for name in ("photos", "books"):
        (tmp_path / name).mkdir()
    config = load_text(f"""
        [defaults]
        exclude = ["*.bak"]
        debounce = 1
        missing_grace = "never"

        [[repository]]
        name = "photos"
        path = "{tmp_path}/photos/"
        exclude = ["/cache/", "!keep.tmp"]
        protected = ["/inbox/"]
        reconcile_jitter = 5
        missing_grace = "0"
        marker = "meta/.root"
        enabled = false

        [[repository]]
        name = "books"
        path = "/{tmp_path}//books"
        watch = "poll"
        max_latency = "1min 30s"
    """)
    books, photos = config.repositories
    assert (books.name, photos.name) == ("books", "photos")
    assert [str(repository.path) for repository in (books, photos)] == [f"{tmp_path}/books", f"{tmp_path}/photos"]
    assert (books.exclude, photos.exclude) == (("*.bak",), ("/cache/", "!keep.tmp"))
    assert (books.debounce, photos.debounce) == (1.0, 1.0)
    assert (books.missing_grace, photos.missing_grace) == (None, 0.0)
    assert (books.enabled, photos.enabled) == (True, False)
    assert (books.watch, books.max_latency, books.lease_ttl) == ("poll", 90.0, 30.0)
    assert (photos.protected, photos.reconcile_jitter, photos.marker) == (("/inbox/",), 5.0, "meta/.root")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("localhost:0", Address("localhost", 0)),
        ("[::1]:9764", Address("::1", 9764)),
        ("", None),
    ],
)
def test_the_tcp_port_can_be_anywhere_or_nowhere(load_text: Load, text: str, address: Address | None) -> None:
    assert load_text(f'http.listen = "{text}"').http.listen == address


def test_host_names_are_taken_as_browsers_write_them(load_text: Load) -> None:
    config = load_text(
        'http.allowed_hosts = ["Census.Example.org.", "census.example.org", "nas_1", "xn--bcher-kva.de"]'
    )
    assert config.http.allowed_hosts == ("census.example.org", "nas_1", "xn--bcher-kva.de")
    assert load_text("").http.allowed_hosts == ()


def test_drop_ins_are_read_in_the_order_of_their_names_and_the_last_value_counts(
    load_text: Load, tmp_path: Path
) -> None:
    for name in "abc":
        (tmp_path / name).mkdir()
    drop_ins = tmp_path / "conf.d"
    drop_ins.mkdir()
    (drop_ins / "20.toml").write_text(
        f'daemon.log_level = "debug"\n[[repository]]\nname = "b"\npath = "{tmp_path}/b"\n'
    )
    (drop_ins / "10.toml").write_text(
        f'daemon.log_level = "error"\ndatabase.pool_max = 3\n[[repository]]\nname = "a"\npath = "{tmp_path}/a"\n'
    )
    (drop_ins / ".30.toml").write_text("left behind by an editor")
    (drop_ins / "40.toml.bak").write_text("no drop-in")
    config = load_text(f"""
        daemon.log_level = "warning"
        database.pool_max = 2
        database.pool_min = 2
        [[repository]]
        name = "c"
        path = "{tmp_path}/c"
    """)
    assert config.daemon.log_level == "debug"
    assert (config.database.pool_min, config.database.pool_max) == (2, 3)
    assert [repository.name for repository in config.repositories] == ["a", "b", "c"]
    assert config.sources == (f"{tmp_path}/censusd.toml", f"{drop_ins}/10.toml", f"{drop_ins}/20.toml")


def test_the_default_file_may_be_absent_and_its_drop_ins_count_even_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "DEFAULT_FILE", tmp_path / "etc" / "censusd.toml")
    environ = {"RUNTIME_DIRECTORY": "/run/c"}
    assert load(None, environ).sources == ()
    (tmp_path / "etc" / "conf.d").mkdir(parents=True)
    (tmp_path / "etc" / "conf.d" / "a.toml").write_text('daemon.log_level = "debug"')
    assert load(None, environ).daemon.log_level == "debug"
    (tmp_path / "etc" / "censusd.toml").write_text("database.pool_max = 5")
    assert load(None, environ).database.pool_max == 5


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml: cannot be read: No such file"):
        load([tmp_path / "nowhere.toml"], {})


class TestDatabase:
    """The credential comes before the environment, the environment before the file."""

    FILE = 'database.dsn = "host=file"'

    def shown(self, config: Config) -> tuple[str, str]:
        assert config.database.dsn is not None
        return config.database.dsn.reveal(), config.database.dsn_source

    def test_the_file_alone(self, load_text: Load, file: Path) -> None:
        assert self.shown(load_text(self.FILE)) == ("host=file", str(file))
        assert self.shown(load_text(self.FILE, CENSUSD_DATABASE="")) == ("host=file", str(file))

    def test_the_environment_over_the_file(self, load_text: Load) -> None:
        config = load_text(self.FILE, CENSUSD_DATABASE="host=environment")
        assert self.shown(config) == ("host=environment", "environment CENSUSD_DATABASE")

    def test_the_credential_over_both(self, load_text: Load, tmp_path: Path) -> None:
        (tmp_path / "database").write_text("host=credential password=secret\n")
        config = load_text(self.FILE, CENSUSD_DATABASE="host=environment", CREDENTIALS_DIRECTORY=str(tmp_path))
        assert self.shown(config) == ("host=credential password=secret", "systemd credential")

    def test_a_directory_without_that_credential(self, load_text: Load, tmp_path: Path) -> None:
        config = load_text(CENSUSD_DATABASE="host=environment", CREDENTIALS_DIRECTORY=str(tmp_path))
        assert self.shown(config)[0] == "host=environment"

    def test_a_credential_that_says_nothing_is_not_the_same_as_none(self, load_text: Load, tmp_path: Path) -> None:
        (tmp_path / "database").write_text("\n")
        with pytest.raises(ConfigurationError, match=r"systemd credential: .*/database: is empty; expected"):
            load_text(CREDENTIALS_DIRECTORY=str(tmp_path))

    @pytest.mark.parametrize("content", [b"host=h \xff hunter2", b"hunter2"])
    def test_a_wrong_credential_is_not_quoted(self, load_text: Load, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "database").write_bytes(content)
        with pytest.raises(ConfigurationError, match="systemd credential") as caught:
            load_text(CREDENTIALS_DIRECTORY=str(tmp_path))
        assert "hunter2" not in str(caught.value)

    def test_a_wrong_variable_is_not_quoted(self, load_text: Load) -> None:
        with pytest.raises(ConfigurationError, match="environment: CENSUSD_DATABASE: expected a PostgreSQL") as caught:
            load_text(CENSUSD_DATABASE="mysql://u:hunter2@h/d")
        assert "hunter2" not in str(caught.value)

    def test_a_password_that_every_user_can_read_is_worth_a_warning(self, load_text: Load, file: Path) -> None:
        text = 'database.dsn = "host=h password=hunter2"'
        file.touch(0o600)
        assert load_text(text).warnings == ()
        file.chmod(0o644)
        (warning,) = load_text(text).warnings
        assert (warning.file, warning.key) == (str(file), "database.dsn")
        assert "hunter2" not in str(warning)
        assert load_text(text, CENSUSD_DATABASE="host=h").warnings == (warning,)
        assert load_text('database.dsn = "host=h"').warnings == ()


class TestLocations:
    """Where the daemon's own directories are when the configuration does not say."""

    def found(self, config: Config) -> tuple[str, ...]:
        daemon = config.daemon
        paths = (
            daemon.state_directory,
            daemon.runtime_directory,
            config.control.socket,
            config.database.embedded_directory,
        )
        return tuple(map(str, paths))

    def test_for_root(self, load_text: Load) -> None:
        assert self.found(load_text(HOME="/root", XDG_STATE_HOME="/x", XDG_RUNTIME_DIR="/y")) == (
            "/var/lib/censusd",
            "/run/censusd",
            "/run/censusd/control.sock",
            "/var/lib/censusd",
        )

    def test_under_systemd(self, load_text: Load) -> None:
        assert self.found(load_text(STATE_DIRECTORY="/var/lib/a:/var/lib/b", RUNTIME_DIRECTORY="/run/a")) == (
            "/var/lib/a",
            "/run/a",
            "/run/a/control.sock",
            "/var/lib/a",
        )

    def test_for_a_user(self, load_text: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        config = load_text(XDG_STATE_HOME="/x/state", XDG_RUNTIME_DIR="/run/user/1000")
        assert self.found(config)[:2] == ("/x/state/censusd", "/run/user/1000/censusd")
        config = load_text(HOME="/home/u", XDG_STATE_HOME="relative", XDG_RUNTIME_DIR="relative")
        assert self.found(config)[:2] == ("/home/u/.local/state/censusd", "/home/u/.local/state/censusd/run")

    def test_for_a_user_without_a_home(self, load_text: Load, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("os.geteuid", lambda: 0x7FFFFFF0)
        with pytest.raises(ConfigurationError, match=r"daemon\.state_directory: this user has no home directory"):
            load_text()
        assert self.found(load_text('daemon.state_directory = "/s"'))[:2] == ("/s", "/s/run")

    def test_what_the_configuration_says_counts(self, load_text: Load) -> None:
        config = load_text(
            """
            [daemon]
            state_directory = "/s"
            runtime_directory = "/r"
            [control]
            socket = "/c"
            [database]
            embedded_directory = "/e"
            """,
            STATE_DIRECTORY="/var/lib/a",
            RUNTIME_DIRECTORY="/run/a",
        )
        assert self.found(config) == ("/s", "/r", "/c", "/e")

    def test_a_socket_path_that_the_kernel_cannot_take_is_a_fault(self, load_text: Load) -> None:
        with pytest.raises(ConfigurationError, match=r"default: control.socket: expected a path of at most 107 bytes"):
            load_text(RUNTIME_DIRECTORY=f"/{'r' * 95}")
        assert len(str(load_text(RUNTIME_DIRECTORY=f"/{'r' * 93}").control.socket)) == 107

    def test_a_socket_for_everybody_is_worth_a_warning(self, load_text: Load) -> None:
        (warning,) = load_text('control.socket_mode = "0666"').warnings
        assert warning.key == "control.socket_mode"


class TestCommandLine:
    """Repositories named by ``--repository``."""

    def test_they_are_named_after_the_last_component(self, load_text: Load, tmp_path: Path) -> None:
        config = load_text(
            f'[[repository]]\nname = "photos"\npath = "{tmp_path}"\nenabled = false\n[defaults]\ndebounce = "1s"',
            repositories=[tmp_path / "a/photos", tmp_path / "b/photos", tmp_path / "c/My Photos!"],
        )
        assert {one.name: str(one.path.relative_to(tmp_path)) for one in config.repositories} == {
            "photos": ".",
            "photos-2": "a/photos",
            "photos-3": "b/photos",
            "My-Photos-": "c/My Photos!",
        }
        assert {one.debounce for one in config.repositories} == {1.0}
        assert {warning.file for warning in config.warnings} == {"command line"}

    def test_the_root_directory_and_long_names_have_names_too(self, load_text: Load, tmp_path: Path) -> None:
        assert [one.name for one in load_text(repositories=[Path("/")]).repositories] == ["repository"]
        long = [tmp_path / side / ("x" * 100) for side in "ab"]
        assert [one.name for one in load_text(repositories=long).repositories] == ["x" * 61 + "-2", "x" * 63]

    def test_bytes_that_are_not_utf_8_are_kept(self, load_text: Load, tmp_path: Path) -> None:
        root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
        root.mkdir()
        (repository,) = load_text(repositories=[root]).repositories
        assert os.fsencode(repository.path).endswith(b"/caf\xe9")
        assert repository.name == "caf-"

    def test_a_relative_path_starts_at_the_working_directory(
        self, load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "real" / "below").mkdir(parents=True)
        (tmp_path / "link").symlink_to("real/below")
        monkeypatch.chdir(tmp_path)
        for relative, absolute in (("real", "real"), (".", ""), ("link/..", "real")):
            (repository,) = load_text(repositories=[Path(relative)]).repositories
            assert repository.path == tmp_path / absolute
