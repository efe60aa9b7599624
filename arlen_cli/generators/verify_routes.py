"""Does the application still know its way with the planned files? One rule: the route table is built before a byte is written.

What inspection of the text cannot tell is told by the table itself: a function that ends early, a name or an address that
a group or an alias has already, a module that something else imports.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from arlen_cli.errors import ToolError
from arlen_cli.generators.plan import WRITES, Inject, Plan, Step, Withdraw
from arlen_cli.generators.route_table import Answer, Question
from arlen_runtime.config.masks import mask_text

SECONDS = 60
"""How long an application may take to be imported."""

_TABLE = (
    "-P",
    "-B",
    "-m",
    "arlen_cli.generators.route_table",
)  # -P: the project's own files shadow nothing of the tool


def rebuilt(plan: Plan, steps: Sequence[Step], root: Path) -> list[Step]:
    """Return the steps as the route table proves them: lines that cannot work are left to the user to paste, with why.

    Raises ToolError where the application would not start any more even so, or an address or a name has a route already.
    An application that cannot be loaded as it stands proves nothing: a note says so.
    """
    routes = next((action.path for action in plan.actions if isinstance(action, (Inject, Withdraw))), "")
    files = _files(steps)
    if not routes or not files or any(step.status == "conflict" for step in steps):
        return list(steps)
    names = _names(
        "\n".join(text for action in plan.actions if isinstance(action, Inject) for text in action.statements)
    )
    found = _ask(root, routes, files, names if routes in files else [])
    if found.taken:
        raise ToolError(f"nothing was written: {found.taken[0]}")
    if not found.error and not found.lost:
        return list(steps)
    if before := _ask(root, routes, {}, []).error:
        return [*steps, Step("note", "", text=f"the application does not load, so its routes are unproved: {before}")]
    pasted = [
        step._replace(status="manual", after=None) if (step.status, step.path) == ("inject", routes) else step
        for step in steps
    ]
    if found.error:
        _refuse_broken(root, routes, pasted)
    why = found.error or f"{routes} ends before it comes to {found.lost[0]}"
    return [*pasted, Step("note", "", text=f"with these lines at its end {routes} would not work: {why}")]


def _refuse_broken(root: Path, routes: str, pasted: Sequence[Step]) -> None:
    """Raise ToolError where the lines are not to blame, or could not be pasted either: another route has their name."""
    new = [name for step in pasted if step.path == routes for name in _names(step.text)]
    without = _ask(root, routes, _files(pasted), new)
    if without.error:
        raise ToolError(f"nothing was written, the application would not start any more: {without.error}")
    taken = [name for name in new if name not in without.lost]
    if taken:
        raise ToolError(f"nothing was written: another route has the name {taken[0]} already")


def _files(steps: Sequence[Step]) -> dict[str, str | None]:
    """Return the planned text of each Python file that changes, None for one that goes."""
    written = [step for step in steps if step.status in WRITES and step.path.endswith(".py")]
    return {step.path: None if step.after is None else step.after.decode() for step in written}


def _names(source: str) -> list[str]:
    """Return the names of the routes that these statements add."""
    words = (word for word in ast.walk(ast.parse(source)) if isinstance(word, ast.keyword))
    return [ast.literal_eval(word.value) for word in words if word.arg == "name"]


def _ask(root: Path, routes: str, files: Mapping[str, str | None], names: Sequence[str]) -> Answer:
    """Build the table with these files in their places, and look for the names."""
    module = routes.removesuffix(".py").replace("/", ".")
    return _run(Question(str(root), module, files, names))


def _run(question: Question) -> Answer:
    """Put the question to another process; errors come back without the passwords in them."""
    with TemporaryFile() as answers, TemporaryFile() as complaints:  # a pipe would be waited for, whoever holds it open
        try:
            status = _finished(question, answers, complaints)
        except subprocess.TimeoutExpired:
            return Answer(f"importing it took longer than {SECONDS} s")
        answered, complained = _read(answers), _read(complaints)
    try:
        found = Answer(**json.loads(answered))
    except (ValueError, TypeError):  # os._exit, a crash: nothing was answered
        said = complained.splitlines() or [""]
        found = Answer(f"importing it ended the process with {status}: {said[-1]}")
    return found._replace(error=mask_text(found.error))


def _finished(question: Question, answers: IO[bytes], complaints: IO[bytes]) -> int:
    """Run the other process to its end and return its exit status; the children that it leaves end with it."""
    process = subprocess.Popen(  # noqa: S603 - this very Python, and a module of the tool
        [sys.executable, *_TABLE],
        stdin=subprocess.PIPE,
        stdout=answers,
        stderr=complaints,
        cwd=question.root,
        process_group=0,
    )
    try:
        process.communicate(json.dumps(question._asdict()).encode(), timeout=SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return process.returncode


def _read(file: IO[bytes]) -> str:
    """Return all that was written to the file."""
    file.seek(0)
    return file.read().decode(errors="replace")
