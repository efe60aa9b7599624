"""Listening sockets: every address of a name, one port, clear refusals."""

from __future__ import annotations

import socket

import pytest

from arlen_runtime.errors import BootError
from arlen_runtime.propane.listener import address_of, bind


def test_port_zero_takes_a_free_one_and_a_client_gets_in() -> None:
    (listener,) = bind("127.0.0.1", 0, 16)
    port = listener.getsockname()[1]

    with socket.create_connection(("127.0.0.1", port), 5):
        assert address_of(listener) == f"http://127.0.0.1:{port}"
    listener.close()


def test_ipv6_is_bound_and_shown_in_brackets() -> None:
    (listener,) = bind("::1", 0, 16)

    assert address_of(listener) == f"http://[::1]:{listener.getsockname()[1]}"
    listener.close()


def test_a_port_in_use_is_one_clear_line() -> None:
    (taken,) = bind("127.0.0.1", 0, 16)
    port = taken.getsockname()[1]

    with pytest.raises(BootError, match=f"port {port} on 127.0.0.1 is in use; choose another with --port"):
        bind("127.0.0.1", port, 16)
    taken.close()


def test_an_address_of_another_machine_is_one_clear_line() -> None:
    with pytest.raises(BootError, match=r"192\.0\.2\.1 is not an address of this machine"):
        bind("192.0.2.1", 0, 16)


def test_a_name_that_is_none_is_one_clear_line() -> None:
    with pytest.raises(BootError, match="cannot listen on 'no such host'"):
        bind("no such host", 0, 16)
