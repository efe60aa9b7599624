"""A mistyped option of a route is an error at boot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arlen_runtime.app import App
from arlen_runtime.config.sections import CompressionSection, Config
from arlen_runtime.errors import BootError
from arlen_runtime.middleware.before_after import before
from arlen_runtime.routing.routes import Routes


def act(_ctx: object) -> None:
    """Answer 204."""


@pytest.mark.parametrize(
    ("option", "hint"),
    [
        ("guards", "did you mean guard?"),
        ("gaurd", "did you mean guard?"),
        ("limits", "did you mean limit?"),
        ("hosts", "did you mean host?"),
        ("auth", "there are api, "),
        ("bdoy", "did you mean body?"),
        ("compres", "did you mean compress?"),
        ("apis", "did you mean api?"),
        ("rolse", "did you mean roles?"),
        ("nmae", "did you mean name?"),
        ("authentication_required", "there are api, "),
    ],
)
def test_a_mistyped_option_is_refused_with_its_line_and_the_nearest_word(
    tmp_path: Path, option: str, hint: str
) -> None:
    def routes(r: Routes) -> None:
        with r.group("/admin", **{option: True}):  # type: ignore[arg-type] # any option
            r.get("/users", act)

    reads_roles = before(act, options={"roles"})
    with pytest.raises(BootError) as caught:
        App(Config("production", tmp_path), routes, middleware=[reads_roles])
    place, _, rest = caught.value.detail.partition(": ")
    assert place == f"{__file__}:{routes.__code__.co_firstlineno + 2}"
    assert rest.startswith(f"GET /admin/users: nothing reads the option {option!r}; {hint}")


@pytest.mark.parametrize("options", [{"compress": False}, {"api": False}, {"roles": "admin"}])
def test_an_option_with_a_reader_is_accepted_also_if_its_layer_is_off(tmp_path: Path, options: dict[str, Any]) -> None:
    config = Config("production", tmp_path, compression=CompressionSection(enabled=False))
    App(config, lambda r: r.get("/", act, **options), middleware=[before(act, options={"roles"})])


def test_all_mistakes_of_an_application_are_reported_at_once(tmp_path: Path) -> None:
    def routes(r: Routes) -> None:
        r.get("/a", act, guards=[act])
        r.post("/b", act, crsf=False)
        r.get("/a", act)

    config = Config("production", tmp_path)
    with pytest.raises(BootError) as caught:
        App(config, routes, middleware=[3], context=dict, on_worker_start=["open"])  # type: ignore[arg-type,list-item] # the mistakes
    lines = caught.value.detail.splitlines()
    expected = ["builtins.str must be", "builtins.dict is not", "GET /a", "'guards'", "'crsf'", "builtins.int does"]
    assert [text in line for text, line in zip(expected, lines, strict=True)] == [True] * 6
