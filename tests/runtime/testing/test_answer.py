"""An answer shows what failed in one line."""

from __future__ import annotations

import pytest

from arlen_runtime.testing import Answer
from arlen_runtime.web.responses import text
from tests.fixtures import ServeApp


def test_its_repr_is_status_method_and_target_however_large_it_is(serve: ServeApp) -> None:
    client = serve(lambda r: r.post("/sign-in/delete", lambda _ctx: text("x" * 100_000)))
    answer = client.post("/sign-in/delete?a=1")
    assert repr(answer) == "<Answer 200 POST /sign-in/delete?a=1>"
    with pytest.raises(AssertionError) as caught:
        assert answer.status == 404
    assert len(str(caught.value)) < 200


def test_repeated_fields_are_joined_and_the_body_is_read_as_text_and_json() -> None:
    answer = Answer(200, [("Vary", "a"), ("VARY", "b")], '["ü"]'.encode(), "/")
    assert (answer.headers, answer.text, answer.json()) == ({"vary": "a, b"}, '["ü"]', ["ü"])
