"""Boot arguments survive the way through a command line."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.ipc import boot_args as module
from arlen_runtime.propane.ipc.boot_args import BootArgs, CommandLine


def test_boot_args_are_read_as_they_were_written() -> None:
    command_line = CommandLine("/srv/it's here", "production", {"server.port": "80"}, development=True)
    boot_args = BootArgs(
        command_line,
        7,
        3,
        4,
        (5, 6),
        (8, 9),
        owns_listeners=False,
        preload=False,
        boot_error='File "x"\nSyntaxError: Ü',
    )

    read = BootArgs.from_argument(boot_args.as_argument())

    assert read == boot_args
    assert read.descriptors == (3, 4, 5, 6, 8, 9)


@pytest.mark.parametrize(("platform", "preload"), [("linux", True), ("darwin", False)])
def test_on_macos_each_worker_imports_for_itself(
    monkeypatch: pytest.MonkeyPatch, platform: str, *, preload: bool
) -> None:
    spec = importlib.util.spec_from_file_location("boot_args_of_another_system", module.__file__)
    assert spec is not None
    assert spec.loader is not None
    again = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, again)
    monkeypatch.setattr(sys, "platform", platform)
    spec.loader.exec_module(again)

    assert again.BootArgs(again.CommandLine("/", None, {}), 1, 0, 0, (0, 0), (), owns_listeners=True).preload is preload


def test_the_boot_args_of_a_manager_of_another_release_are_refused() -> None:
    with pytest.raises(BootError, match="of another release: send it SIGUSR2"):
        BootArgs.from_argument('{"invocation": {}, "generation": 1}')
