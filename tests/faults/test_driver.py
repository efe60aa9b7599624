"""The driver counts what it sees: a server that fails is not reported as good."""

from __future__ import annotations

import socket
import threading
import time

from tests.fixtures import Drive

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_closed_connections_and_other_statuses_are_failures(load: Drive) -> None:
    """Every third connection is closed without an answer, every third gets a 500."""
    served = 0
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve() -> None:
            nonlocal served
            for at in range(30):
                accepted, _address = listener.accept()
                with accepted:
                    accepted.recv(65536)
                    served += 1
                    if at % 3 == 1:
                        accepted.sendall(OK.replace(b"200 OK", b"500 No"))
                    elif at % 3 == 2:
                        accepted.sendall(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))

        server = threading.Thread(target=serve)
        server.start()
        with load(listener.getsockname()[1], kept=0, fresh=1) as drive:
            server.join(30)
            listener.close()
            counted = drive.report()

    assert served == 30
    assert counted["answered"] == 10
    assert counted["rate"] >= 10 / (time.monotonic() - began) - 1
    assert counted["failed"] >= 20
    assert counted["kinds"]["HTTP/1.1 500 No"] == 10
    assert counted["kinds"]["read"] >= 10
    assert set(counted["kinds"]) <= {"HTTP/1.1 500 No", "read", "send", "connect"}
    assert any("500" in failure for failure in counted["failures"])
    assert any("read" in failure for failure in counted["failures"])
    first, last = counted["failed_between"]
    assert began <= first <= last <= time.monotonic()
