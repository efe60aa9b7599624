"""The door: four calls, and a ticket that carries what `admit` found to `run`."""

from __future__ import annotations

from collections.abc import Callable

from arlen_runtime.errors import ArlenError, NotFound
from arlen_runtime.http.application import Door, Ticket, Worker
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response


class Echo:
    """The smallest thing that can stand behind the door."""

    def start(self, worker: Worker) -> None:
        self.number = worker.number

    def admit(self, head: Head) -> Ticket:
        return Ticket(
            (head.method, head.path), "buffer", 1024, params={"path": head.path}, immediate=head.path == "/livez"
        )

    def run(self, ticket: Ticket, request: Request) -> Response:
        return Response(f"{ticket.params} {request.body!r}".encode())

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        return Response(f"{error.code} {head is None}".encode(), error.status)


def test_a_ticket_carries_what_admit_found_to_run(head_of: Callable[..., Head]) -> None:
    door: Door = Echo()
    ticket = door.admit(head_of("POST", "/a"))
    assert (ticket.key, ticket.policy, ticket.limit, ticket.immediate) == (("POST", "/a"), "buffer", 1024, False)
    assert door.run(ticket, Request(head_of(), b"x")).body == b"{'path': '/a'} b'x'"
    assert door.admit(head_of(target="/livez")).immediate


def test_a_refusal_needs_no_request() -> None:
    door: Door = Echo()
    response = door.refuse(NotFound("no"), None)
    assert (response.status, response.body) == (404, b"not_found True")
