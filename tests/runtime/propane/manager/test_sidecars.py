"""Sidecars: started, restarted, stopped, and never left behind."""

from __future__ import annotations

import os
import re
import resource
import select
import signal
import time
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, PropaneSection
from arlen_runtime.config.setting import Commands
from arlen_runtime.log.logger import Log
from arlen_runtime.propane.manager.sidecars import Sidecars, SidecarState
from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Exhaust, Rewrite, Serve

JOBS = """
import os, signal, sys, time
print('{"event": "job_runs", "environment": "%s", "pid": %d}' % (os.environ["ARLEN_ENV"], os.getpid()), flush=True)
if "--ignore-sigterm" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('{"event": "job_ignores_sigterm"}', flush=True)
if "--crash" in sys.argv:
    sys.exit(3)
time.sleep(600)
"""


CONDITIONS = """
import os, resource, signal, sys

resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
ignored = {signal.SIGINT, signal.SIGUSR1, signal.SIGALRM}
for sig in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(sig, signal.SIG_IGN if sig in ignored else signal.SIG_DFL)
signal.pthread_sigmask(signal.SIG_SETMASK, {signal.SIGUSR2, signal.SIGTTIN, signal.SIGVTALRM})
os.umask(0o27)
os.execv(sys.executable, [sys.executable, "-m", "arlen_runtime.propane", *sys.argv[1:]])
"""
"""Starts the server with a low limit, ignored and blocked signals and a mask of its own."""

REPORT = """
{ grep -E '^(Sig(Blk|Ign)|Umask)' /proc/self/status; ulimit -Sn; ulimit -Hn; ls /proc/self/fd; } > report.new
mv report.new report
echo '{"event": "reported"}'
exec sleep 600
"""


@pytest.fixture(autouse=True)
def jobs(site: Path) -> None:
    """Write the program, and a configuration that names it."""
    (site / "jobs.py").write_text(JOBS)
    (site / "config").mkdir()
    _settings(site, 'worker = "python jobs.py"')


def _settings(site: Path, *lines: str) -> None:
    (site / "config" / "app.toml").write_text("\n".join(["[propane_accessories.processes]", *lines, ""]))


def test_a_program_starts_when_the_first_generation_is_ready_and_ends_with_the_command(serve: Serve) -> None:
    server = serve()
    started = server.wait_for("process_started", process="worker", reason="start")
    runs = server.wait_for("job_runs")
    names = [event["event"] for event in server.events]

    assert runs == {"event": "job_runs", "environment": "production", "pid": started["pid"]}
    assert names.index("generation_ready") < names.index("process_started")
    assert server.stop() == 0
    server.wait_for("process_exited", pid=started["pid"], reason="signal_15", action="none")


def test_a_program_that_is_killed_is_restarted(serve: Serve) -> None:
    server = serve()
    victim = server.wait_for("job_runs")["pid"]
    os.kill(victim, signal.SIGKILL)

    server.wait_for("process_exited", pid=victim, reason="signal_9", action="respawn")
    server.wait_for("process_started", process="worker", reason="respawn_after_signal_9")


def test_a_program_that_cannot_be_forked_is_tried_again(serve: Serve, exhaust: Exhaust) -> None:
    server = serve()
    victim = server.wait_for("job_runs")["pid"]
    exhaust("program")
    os.kill(victim, signal.SIGKILL)
    refused = server.wait_for("process_not_started", process="worker")
    exhaust("")

    assert "Resource temporarily unavailable" in refused["reason"]
    server.wait_for("process_started", after=server.events.index(refused), process="worker")


def test_a_program_that_exits_at_once_backs_off_and_is_reported(serve: Serve, site: Path) -> None:
    _settings(site, 'crashing = "python jobs.py --crash"')
    server = serve("--respawn-delay-ms", "20")

    looped = server.wait_for("process_crash_loop", process="crashing")
    assert looped["reason"] == "exit_3"
    assert looped["delay_seconds"] > 0
    assert sum(event["event"] == "process_started" for event in server.events) >= 2


def test_a_reload_restarts_programs_with_the_new_settings(serve: Serve, site: Path) -> None:
    server = serve()
    before = server.wait_for("job_runs")["pid"]
    _settings(site, 'other = "python jobs.py"', 'worker = "python jobs.py"')
    server.send(signal.SIGHUP)

    server.wait_for("process_started", process="other", reason="reload")
    server.wait_for("process_exited", process="worker", pid=before)
    server.wait_for("process_started", process="worker", reason="reload")
    names = [(event["event"], event.get("generation")) for event in server.events]
    assert names.index(("generation_ready", 2)) < names.index(("process_exited", None))


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace_and_the_stop_is_not_clean(
    serve: Serve, site: Path
) -> None:
    _settings(site, 'stubborn = "python jobs.py --ignore-sigterm"')
    server = serve("--graceful-shutdown-seconds", "1")
    pid = server.wait_for("job_runs")["pid"]
    server.wait_for("job_ignores_sigterm")

    assert server.stop() == 1
    server.wait_for("grace_exceeded", process="stubborn", pid=pid)
    server.wait_for("process_exited", process="stubborn", reason="signal_9")


def test_a_program_that_cannot_be_run_is_reported_and_the_site_serves(serve: Serve, site: Path) -> None:
    _settings(site, 'missing = "no-such-program --really"')
    server = serve()

    server.wait_for("process_exited", process="missing", reason="exit_127")
    server.wait_for("", line=f"propane: cannot run no-such-program in {site}: No such file or directory")


def test_no_program_outlives_a_manager_that_is_killed(serve: Serve) -> None:
    server = serve()
    server.wait_for("job_runs")
    os.kill(server.pid, signal.SIGKILL)

    server._reader.join(20)  # the log ends when the last process that holds it has exited
    assert not server._reader.is_alive()


def test_processes_that_a_program_has_started_end_with_it(serve: Serve, site: Path) -> None:
    (site / "tree.sh").write_text("python jobs.py &\nwait\n")
    _settings(site, 'tree = "sh tree.sh"')
    server = serve()
    server.wait_for("job_runs")
    os.kill(server.pid, signal.SIGTERM)

    server._reader.join(20)
    assert not server._reader.is_alive()


def test_a_program_that_has_just_been_forked_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    own_session = os.setsid
    monkeypatch.setattr(os, "setsid", lambda: (os.read(reading, 1), own_session()))
    config = Config(
        "production", tmp_path, propane_accessories=PropaneSection(processes=Commands({"sleeper": "sleep 600"}))
    )
    sidecars = Sidecars(str(tmp_path), config, Log(config.log, "production", tmp_path), SidecarState())
    sidecars.sync("start", {})
    sidecars.run_due_tasks(time.monotonic())
    (sleeper,) = sidecars.running
    with os.fdopen(os.pidfd_open(sleeper.pid)) as process_fd:
        sidecars.stop()
        os.write(writing, b"x")
        is_ended = select.select([process_fd], [], [], 30)[0]
    os.kill(sleeper.pid, signal.SIGKILL)

    assert is_ended
    assert os.waitstatus_to_exitcode(os.waitpid(sleeper.pid, 0)[1]) == -signal.SIGTERM
    os.close(reading)
    os.close(writing)


def test_a_successor_whose_reload_fails_still_restarts_programs(serve: Serve, rewrite: Rewrite) -> None:
    server = serve()
    victim = server.wait_for("job_runs")["pid"]
    rewrite(more="\ndef create(config):\n    return App(config, routes, on_worker_start=[lambda: 1 / 0])\n")
    server.send(signal.SIGUSR2)
    server.wait_for("manager_replaced")
    server.wait_for("reload_failed")
    os.kill(victim, signal.SIGKILL)

    server.wait_for("process_exited", pid=victim, action="respawn")
    server.wait_for("process_started", process="worker", reason="respawn_after_signal_9")


def _descriptors(pid: int) -> set[str]:
    return {path.name for path in Path(f"/proc/{pid}/fd").iterdir()}


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="descriptors are read from /proc")
def test_no_program_holds_a_descriptor_of_the_manager(serve: Serve) -> None:
    server = serve()
    first = server.wait_for("job_runs")["pid"]
    assert _descriptors(first) == {"0", "1", "2"}
    server.send(signal.SIGUSR2)
    server.wait_for("process_exited", pid=first)
    after = len(server.events)
    second = server.wait_for("job_runs", after=after)["pid"]

    assert _descriptors(second) == {"0", "1", "2"}


def _report(site: Path) -> list[str]:
    """Return the sorted words of the report.

    Signals 32 and 33 are left out: they are the C library's, and make ignores them.
    """
    masks = re.compile(r"\b[0-9a-f]{16}\b")
    text = (site / "report").read_text()
    return sorted(masks.sub(lambda mask: f"{int(mask[0], 16) & 0x7FFFFFFF:016x}", text).split())


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="signals are read from /proc")
def test_a_program_gets_what_the_command_was_started_with_also_after_a_reexec(site: Path) -> None:
    (site / "report.sh").write_text(REPORT)
    _settings(site, 'report = "bash report.sh"')
    hard_limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    ignored = sum(1 << (sig - 1) for sig in (signal.SIGINT, signal.SIGUSR1, signal.SIGALRM))
    blocked = sum(1 << (sig - 1) for sig in (signal.SIGUSR2, signal.SIGTTIN, signal.SIGVTALRM))
    expected = [f"Umask: 0027 SigBlk: {blocked:016x} SigIgn: {ignored:016x} 200 {hard_limit}"]
    reading, writing = os.pipe()
    expected += [f"{fd}" for fd in sorted({0, 1, 2, 3, writing})]  # ls has opened 3
    with (
        RunningServer(site, "--workers", "1", command=("-c", CONDITIONS), descriptors=(writing,)) as server,
        os.fdopen(reading),
        os.fdopen(writing),
    ):
        server.wait_for("reported")
        assert _report(site) == sorted(" ".join(expected).split())
        (site / "report").unlink()
        after = len(server.events)
        server.send(signal.SIGUSR2)
        server.wait_for("reported", after=after)
        assert _report(site) == sorted(" ".join(expected).split())


@pytest.mark.parametrize("line", ["worker = 3", 'worker = ""', 'worker = "python \'jobs"'])
def test_an_invalid_command_is_refused_with_file_and_key(site: Path, serve: Serve, line: str) -> None:
    _settings(site, line)
    with pytest.raises(RuntimeError, match="must be a table of names and commands"):
        serve()


DATABASE_JOB = """
import json, os
from arlen_runtime import ALNPg, load_config

pg = ALNPg.from_section(load_config().database)
names = ("ARLEN_ENV", "ARLEN_APP_ROOT", "ARLEN_DATABASE_URL")
facts = {name: os.environ.get(name) for name in names}
print(json.dumps({"event": "database", "name": pg.query_value("select current_database()"), **facts}), flush=True)
pg.close()
os.execvp("sleep", ["sleep", "600"])
"""


def test_a_program_reaches_the_embedded_database_after_start_crash_reload_and_reexec(site: Path) -> None:
    (site / "db").mkdir()
    (site / "database.py").write_text(DATABASE_JOB)
    _settings(site, 'database = "python database.py"')
    quick = ("--workers", "1", "--reload-overlap-seconds", "0")
    with RunningServer(site, *quick, environment="development") as server:
        first = server.wait_for("database")
        expected = {"name": "arlen_development", "ARLEN_ENV": "development", "ARLEN_APP_ROOT": str(site)}
        assert expected.items() <= first.items()
        assert first["ARLEN_DATABASE_URL"].startswith("postgresql://arlen@/arlen_development?host=/")
        server.wait_for("making_postgresql", folder=str(site / ".arlen" / "pg"))

        for cause in (_kill_the_program, _reload, _replace_the_manager):
            after = len(server.events)
            cause(server)
            assert server.wait_for("database", after=after) == first


def _kill_the_program(server: RunningServer) -> None:
    os.kill(server.wait_for("process_started")["pid"], signal.SIGKILL)


def _reload(server: RunningServer) -> None:
    server.send(signal.SIGHUP)


def _replace_the_manager(server: RunningServer) -> None:
    """Replace it by a manager whose first reload fails: what it knows is the predecessor's."""
    source = server._root / "app.py"
    server.wait_for("generation_ended", generation=1)
    working = source.read_text()
    source.write_text(
        f"{working}\ndef create(config):\n    return App(config, routes, on_worker_start=[lambda: 1 / 0])\n"
    )
    server.send(signal.SIGUSR2)
    replaced = server.wait_for("reload_failed")
    started = [event for event in server.events if event["event"] == "process_started"]
    assert server.events.index(replaced) > server.events.index(started[-1])
    os.kill(started[-1]["pid"], signal.SIGKILL)


def test_an_application_that_cannot_start_does_not_keep_its_programs_from_the_database(site: Path) -> None:
    (site / "db").mkdir()
    (site / "app.py").write_text("1 / 0\n")
    (site / "database.py").write_text(DATABASE_JOB)
    _settings(site, 'database = "python database.py"')
    with RunningServer(site, environment="development", command=("-m", "arlen_cli", "serve")) as server:
        assert server.wait_for("database")["name"] == "arlen_development"


def test_without_an_embedded_server_a_program_gets_no_database_url(serve: Serve, site: Path) -> None:
    (site / "shown.sh").write_text(
        """echo "{\\"event\\": \\"shown\\", \\"url\\": \\"$ARLEN_DATABASE_URL\\"}"; exec sleep 600\n"""
    )
    _settings(site, 'shown = "sh shown.sh"')
    assert serve().wait_for("shown")["url"] == ""
