"""A generation imports once; what fails there is one clear line and exit status 1."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from arlen_runtime.testing.server import RunningServer
from arlen_runtime.testing.wire import Wire

Serve = Callable[..., RunningServer]
Rewrite = Callable[..., None]


def test_the_application_is_imported_once_for_all_workers(serve: Serve, site: Path, rewrite: Rewrite) -> None:
    rewrite(more='\nopen("imports", "a").write("x")\n')
    serve(workers=3)

    assert (site / "imports").read_text() == "x"


def test_where_the_import_started_threads_they_are_named_and_each_worker_imports(
    serve: Serve, site: Path, rewrite: Rewrite
) -> None:
    rewrite(
        more="""
open("imports", "a").write("x")
threading.Thread(target=time.sleep, args=(60,), name="exporter", daemon=True).start()
""",
    )
    server = serve(workers=2)

    warning = server.wait_for("import_started_threads")
    assert "exporter" in str(warning["threads"])
    assert (site / "imports").read_text() == "xxx"
    with Wire(server.port) as wire:
        assert wire.get("/").body == b"one"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('no such luck')", "RuntimeError: no such luck"),
        ("def create(config: Config) -> App:\n    return 17", "must return an App or a WSGI callable"),
        ("import sys; sys.exit(7)", "SystemExit: 7"),
        ("os._exit(9)", "ended with status 9"),
    ],
)
def test_an_application_that_cannot_start_ends_the_command_once_with_its_reason(
    site: Path, source: str, reason: str, rewrite: Rewrite
) -> None:
    rewrite(more="\n" + source + "\n")
    server = RunningServer(site)
    server.start()
    try:
        assert server.process.wait(20) == 1
        assert reason in str(server.wait_for("boot_failed", level="error", after=0)) or any(
            reason in str(each) for each in server.events
        )
    finally:
        server.__exit__(None, None, None)
    assert sum(each["event"] == "generation_starting" for each in server.events) == 1


def test_check_builds_the_application_and_ends(site: Path) -> None:
    server = RunningServer(site, "--check")
    server.start()
    assert server.process.wait(20) == 0
    server.wait_for("check_passed")
    server.__exit__(None, None, None)
