"""The journal: what a run leaves behind, and what later runs learn from it."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from arlen_cli.generators.journal import FOLDER, entry, resources
from arlen_cli.generators.plan import Plan, Step

NOW = datetime(2030, 1, 31, 12, 30, tzinfo=UTC)
PLAN = Plan("resource", ("post", "title:string"), ())


def test_an_entry_says_what_was_run_and_what_it_wrote() -> None:
    steps = [Step("create", "a.txt", None, b"a"), Step("identical", "b.txt", b"b"), Step("inject", "c.py", b"c", b"cd")]
    step = entry(PLAN, steps, NOW, "1.2.3")
    assert step is not None
    assert (step.status, step.path) == ("create", f"{FOLDER}/20300131123000000000-resource-post.json")
    assert json.loads(step.after or b"") == {
        "arlen": "1.2.3",
        "at": "2030-01-31T12:30:00+00:00",
        "generator": "resource",
        "arguments": ["post", "title:string"],
        "files": [
            {"path": "a.txt", "status": "create", "sha256": hashlib.sha256(b"a").hexdigest()},
            {"path": "c.py", "status": "inject", "sha256": hashlib.sha256(b"cd").hexdigest()},
        ],
    }


def test_a_run_that_wrote_nothing_leaves_no_entry() -> None:
    assert entry(PLAN, [Step("identical", "a.txt", b"a"), Step("note", "", text="x")], NOW, "1.2.3") is None


def test_the_fields_of_earlier_resources_are_found_again(tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    for stamp, words in (("1", ["Author", "name:string"]), ("2", ["authors", "name:string", "age:integer"])):
        (folder / f"2030013112300{stamp}000000-resource-x.json").write_text(json.dumps({"arguments": words}))
    (folder / "20300131123003000000-controller-x.json").write_text(json.dumps({"arguments": ["pages"]}))
    (folder / "20300131123004000000-resource-x.json").write_text("<<<<<<< ours")
    (folder / "20300131123005000000-resource-x.json").write_text("[]")
    assert resources(tmp_path) == {"authors": ("name:string", "age:integer")}
