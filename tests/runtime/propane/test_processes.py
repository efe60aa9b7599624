"""Programs beside the workers: started, started anew, stopped, and never left behind."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer

Serve = Callable[..., RunningServer]

JOBS = """
import os, signal, sys, time
print('{"event": "job_runs", "environment": "%s", "pid": %d}' % (os.environ["ARLEN_ENV"], os.getpid()), flush=True)
if "--deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print('{"event": "job_deaf"}', flush=True)
if "--crash" in sys.argv:
    sys.exit(3)
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def jobs(site: Path) -> None:
    """Write the program, and settings that name it."""
    (site / "jobs.py").write_text(JOBS)
    (site / "config").mkdir()
    _settings(site, 'worker = "python jobs.py"')


def _settings(site: Path, *lines: str) -> None:
    (site / "config" / "app.toml").write_text("\n".join(["[propane_accessories.processes]", *lines, ""]))


def test_a_program_starts_when_the_first_generation_is_ready_and_ends_with_the_command(serve: Serve) -> None:
    server = serve()
    started = server.wait_for("process_started", process="worker", reason="start")
    runs = server.wait_for("job_runs")
    names = [each["event"] for each in server.events]

    assert runs == {"event": "job_runs", "environment": "production", "pid": started["pid"]}
    assert names.index("generation_ready") < names.index("process_started")
    assert server.stop() == 0
    server.wait_for("process_exited", pid=started["pid"], reason="signal_15", action="none")


def test_a_program_that_is_killed_is_back(serve: Serve) -> None:
    server = serve()
    victim = server.wait_for("job_runs")["pid"]
    os.kill(victim, signal.SIGKILL)

    server.wait_for("process_exited", pid=victim, reason="signal_9", action="respawn")
    server.wait_for("process_started", process="worker", reason="respawn_after_signal_9")


def test_a_program_that_ends_as_soon_as_it_starts_backs_off_and_is_reported(serve: Serve, site: Path) -> None:
    _settings(site, 'crashing = "python jobs.py --crash"')
    server = serve("--respawn-delay-ms", "20")

    looped = server.wait_for("process_crash_loop", process="crashing")
    assert looped["reason"] == "exit_3"
    assert looped["delay_seconds"] > 0
    assert sum(each["event"] == "process_started" for each in server.events) >= 2


def test_a_reload_starts_programs_anew_with_the_settings_of_now(serve: Serve, site: Path) -> None:
    server = serve()
    before = server.wait_for("job_runs")["pid"]
    _settings(site, 'other = "python jobs.py"', 'worker = "python jobs.py"')
    server.send(signal.SIGHUP)

    server.wait_for("process_started", process="other", reason="reload")
    server.wait_for("process_exited", process="worker", pid=before)
    server.wait_for("process_started", process="worker", reason="reload")
    names = [(each["event"], each.get("generation")) for each in server.events]
    assert names.index(("generation_ready", 2)) < names.index(("process_exited", None))


def test_a_program_that_does_not_heed_is_killed_at_the_end_of_the_grace_and_that_is_no_clean_stop(
    serve: Serve, site: Path
) -> None:
    _settings(site, 'deaf = "python jobs.py --deaf"')
    server = serve("--graceful-shutdown-seconds", "1")
    pid = server.wait_for("job_runs")["pid"]
    server.wait_for("job_deaf")

    assert server.stop() == 1
    server.wait_for("grace_exceeded", process="deaf", pid=pid)
    server.wait_for("process_exited", process="deaf", reason="signal_9")


def test_a_program_that_cannot_be_run_says_so_and_the_site_serves(serve: Serve, site: Path) -> None:
    _settings(site, 'missing = "no-such-program --really"')
    server = serve()

    server.wait_for("process_exited", process="missing", reason="exit_127")
    server.wait_for("", line=f"propane: cannot run no-such-program in {site}: No such file or directory")


def test_no_program_outlives_a_manager_that_is_killed(serve: Serve) -> None:
    server = serve()
    server.wait_for("job_runs")
    os.kill(server.pid, signal.SIGKILL)

    server._reader.join(20)  # the log ends when the last process that holds it has ended
    assert not server._reader.is_alive()


def test_what_a_program_has_started_ends_with_it(serve: Serve, site: Path) -> None:
    (site / "tree.sh").write_text("python jobs.py &\nwait\n")
    _settings(site, 'tree = "sh tree.sh"')
    server = serve()
    server.wait_for("job_runs")
    os.kill(server.pid, signal.SIGTERM)

    server._reader.join(20)
    assert not server._reader.is_alive()


@pytest.mark.parametrize("line", ["worker = 3", 'worker = ""', 'worker = "python \'jobs"'])
def test_a_command_that_is_none_is_refused_with_file_and_key(site: Path, serve: Serve, line: str) -> None:
    _settings(site, line)
    with pytest.raises(RuntimeError, match="wants a table of names and commands"):
        serve()
