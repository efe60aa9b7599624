"""The application interface: four calls, and an admission with data from `admit` to `run`."""

from __future__ import annotations

from collections.abc import Callable

from arlen_runtime.errors import ArlenError, NotFound
from arlen_runtime.http.application import Admission, Application, WorkerHandle
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response


class Echo:
    """The smallest application."""

    def start(self, worker: WorkerHandle) -> None:
        self.number = worker.number

    def admit(self, head: Head) -> Admission:
        return Admission(
            (head.method, head.path), "buffer", 1024, params={"path": head.path}, immediate=head.path == "/livez"
        )

    def run(self, admission: Admission, request: Request) -> Response:
        return Response(f"{admission.params} {request.body!r}".encode())

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        return Response(f"{error.code} {head is None}".encode(), error.status)


def test_an_admission_carries_data_from_admit_to_run(head_of: Callable[..., Head]) -> None:
    application: Application = Echo()
    admission = application.admit(head_of("POST", "/a"))
    assert (admission.key, admission.policy, admission.limit, admission.immediate) == (
        ("POST", "/a"),
        "buffer",
        1024,
        False,
    )
    assert application.run(admission, Request(head_of(), b"x")).body == b"{'path': '/a'} b'x'"
    assert application.admit(head_of(target="/livez")).immediate


def test_a_refusal_needs_no_request() -> None:
    application: Application = Echo()
    response = application.refuse(NotFound("no"), None)
    assert (response.status, response.body) == (404, b"not_found True")
