"""Fixtures and rules for all tests. A test that cannot run has failed."""

from __future__ import annotations

import compileall
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator
from contextvars import copy_context
from functools import wraps
from pathlib import Path
from typing import TypeVar

import pytest

import arlen_cli
import arlen_runtime
from arlen_runtime.testing.database import Databases

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

pytest_plugins = ["arlen_runtime.testing.plugin"]

# A shell ignores SIGINT and SIGQUIT in background jobs, and nohup SIGHUP. Programs that the tests
# start would inherit that.
for _sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_sig) is signal.SIG_IGN:
        signal.signal(_sig, signal.default_int_handler if _sig is signal.SIGINT else signal.SIG_DFL)

# Tests rewrite an application with the same size within a second. Python compares only those two,
# and would run the old code from its cache.
os.environ["PYTHONDONTWRITEBYTECODE"] = "1"

SLOW = (
    "tests/faults/",
    "tests/journeys/",
    "tests/test_docs.py",
    "tests/runtime/alnpg/embedded/",
    "tests/runtime/commands/",
    "tests/runtime/propane/",
)
"""What runs first: no process of a parallel run is left alone with a file of many seconds."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files of SLOW before the others; `--no-loadscope-reorder` keeps that order."""
    items.sort(key=lambda item: not item.nodeid.startswith(SLOW))


def pytest_configure(config: pytest.Config) -> None:
    """Compile both packages once, for the interpreters that tests start: they write no cache."""
    if not hasattr(config, "workerinput"):
        for package in (arlen_runtime, arlen_cli):
            compileall.compile_dir(package.__path__[0], quiet=2)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Let pytest keep its compiled test files: to rewrite all asserts takes seconds per worker."""
    sys.dont_write_bytecode = False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = True


@pytest.fixture
def url(database_server: Databases) -> Iterator[str]:
    """Provide an empty database for the test."""
    with database_server.database() as made:
        yield made


@pytest.fixture
def suspend() -> Callable[[int], None]:
    """Return a function that stops a process as a debugger does.

    It waits until the kernel has stopped the process, which runs on for a moment.
    """

    def stop(pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            pass

    return stop


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """Run each test in a Context of its own, as a server runs each request.

    No other test sees what it sets there.
    """
    function = pyfuncitem.obj

    @wraps(function)  # the traceback of a failure needs the source, which Hypothesis reads while the test runs
    def in_context(*arguments: object, **fixtures: object) -> object:
        return copy_context().run(function, *arguments, **fixtures)

    pyfuncitem.obj = in_context
    try:
        return (yield)
    finally:
        pyfuncitem.obj = function


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a skipped test as failed."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Count a skipped file as failed."""
    return _refuse_skip((yield))


def _refuse_skip(report: Report) -> Report:
    """Turn a skip into a failure that names the reason.

    A test that is expected to fail (xfail) is left alone.
    """
    if report.outcome == "skipped" and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"no test is skipped here: {report.longrepr}"
    return report
