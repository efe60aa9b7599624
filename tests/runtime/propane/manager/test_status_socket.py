"""The status socket answers whatever the folder looks like."""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from arlen_runtime.config.sections import Config, PropaneSection
from arlen_runtime.propane.manager import status_socket as status_socket_module
from arlen_runtime.propane.manager.status_socket import StatusSocket, find_managers, query_managers, status_folder


@pytest.mark.parametrize("name", ["short", "deep/" + "folder" * 30])
def test_a_manager_answers_in_a_folder_of_any_depth_that_is_closed_to_others(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    status_socket = StatusSocket(folder, lambda: {"pid": 1, "text": "x" * 50_000})
    answering = threading.Thread(target=_answer, args=(status_socket,))
    answering.start()

    assert query_managers(folder) == [{"pid": 1, "text": "x" * 50_000}]
    answering.join()
    assert folder.stat().st_mode & 0o777 == 0o700
    status_socket.close()
    assert list(folder.iterdir()) == []


def _answer(status_socket: StatusSocket) -> None:
    status_socket._listener.setblocking(True)
    status_socket.answer()


def test_the_socket_of_a_killed_manager_is_removed_and_that_of_a_live_one_stays(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "1.sock"))
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(tmp_path / "2.sock"))
        live.listen()
        status_socket = StatusSocket(tmp_path, dict)

        assert {path.name for path in tmp_path.iterdir()} == {"2.sock", f"{os.getpid()}.sock"}
        status_socket.close()


def test_a_shared_folder_and_the_files_of_others_in_it_stay_unchanged(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "7.sock").write_text("no socket at all")
    names = ("database.sock", "8.sock")
    with socket.socket(socket.AF_UNIX) as stale, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as datagram:
        for sock, name in zip((stale, datagram), names, strict=True):
            sock.bind(str(tmp_path / name))
        status_socket = StatusSocket(tmp_path, dict)

    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert {path.name for path in tmp_path.iterdir()} == {"7.sock", *names, f"{os.getpid()}.sock"}
    assert (tmp_path / f"{os.getpid()}.sock").stat().st_mode & 0o777 == 0o600
    status_socket.close()


def test_a_folder_without_sockets_has_no_answers(tmp_path: Path) -> None:
    assert query_managers(tmp_path) == []
    assert query_managers(tmp_path / "nowhere") == []


def test_a_service_has_its_socket_in_the_folder_that_systemd_gives_it(tmp_path: Path) -> None:
    config = Config("production", tmp_path / "shop")
    service = {"RUNTIME_DIRECTORY": "/run/shop:/run/more"}

    assert status_folder(config, {}) == tmp_path / "shop" / ".arlen" / "propane"
    assert status_folder(config, service) == Path("/run/shop")
    for folder, expected in (("", None), ("/var/lib/shop", Path("/var/lib/shop"))):
        chosen = replace(config, propane_accessories=PropaneSection(status_folder=folder))
        assert status_folder(chosen, service) == expected


def test_managers_are_found_from_any_shell_and_those_of_other_applications_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status_socket_module, "RUNTIME_FOLDERS", tmp_path)
    config = Config("production", tmp_path / "srv" / "shop")
    for root, is_found in ((config.root, True), (tmp_path / "other", False)):
        opened = StatusSocket(tmp_path / "app-shop", lambda root=root: {"root": str(root)})  # type: ignore[misc] # mypy infers no type of a default
        answering = threading.Thread(target=_answer, args=(opened,))
        answering.start()
        assert find_managers(config, {}) == ([{"root": str(root)}] if is_found else [])
        answering.join()
        opened.close()
