"""All requests of an App share the same services."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from arlen_runtime.testing.client import TestClient
from arlen_runtime.web.context import Context
from arlen_runtime.web.services import Services


def test_all_contexts_of_an_app_share_the_same_immutable_services(
    serve: Callable[..., TestClient],
) -> None:
    seen: list[Services] = []

    def note(ctx: Context) -> None:
        seen.append(ctx.services)

    client = serve(lambda r: r.get("/", note))
    client.get("/")
    client.get("/")
    assert seen[0] is seen[1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        seen[0].pg = None  # type: ignore[misc] # that it cannot be is the test
