"""Only plain files below the folder are opened, whatever links there are."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest

from arlen_runtime.errors import ServiceUnavailable
from arlen_runtime.http import dates
from arlen_runtime.web.files import OpenedFile, open_below, open_plain
from tests.fixtures import DescriptorsLeft


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """Create a folder with a file, a folder, and links that lead out of it."""
    folder = tmp_path / "public"
    (folder / "css").mkdir(parents=True)
    (folder / "css" / "app.css").write_text("body {}")
    (folder / ".env").write_text("SECRET")
    (tmp_path / "secret").write_text("SECRET")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "inner").symlink_to(folder / "css")
    os.mkfifo(folder / "pipe")
    return folder


def descriptors() -> int:
    """Count the open descriptors of this process."""
    return len(list(Path("/dev/fd").iterdir()))


def content(opened: OpenedFile | None) -> str:
    """Read and close."""
    assert opened is not None
    with opened.file:
        return opened.file.read().decode()


def test_a_file_below_is_opened_with_size_and_tag(public: Path) -> None:
    opened = open_below(public, ["css", "app.css"])
    assert opened is not None
    assert opened.size == 7
    assert opened.tag.startswith('"')
    assert content(opened) == "body {}"


def test_last_modified_is_never_in_the_future(public: Path) -> None:
    path = public / "css" / "app.css"
    for changed, expected in ((784111777.9, "Sun, 06 Nov 1994 08:49:37 GMT"), (time.time() + 86400, None)):
        os.utime(path, (changed, changed))
        before = int(time.time())
        opened = open_plain(path)
        assert opened is not None
        opened.file.close()
        fields = dict(opened.validators)
        assert (fields["ETag"], fields["Accept-Ranges"]) == (opened.tag, "bytes")
        if expected is not None:
            assert fields["Last-Modified"] == expected
        else:
            assert before <= (dates.read(fields["Last-Modified"]) or 0) <= time.time()


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [""],
        ["css"],
        ["css", ""],
        ["missing"],
        ["missing", "x"],
        ["..", "secret"],
        ["css", "..", "..", "secret"],
        ["."],
        [".env"],
        ["css/app.css"],
        ["/etc/passwd"],
        ["app\0.css"],
        ["link"],
        ["up", "secret"],
        ["inner", "app.css"],
        ["pipe"],
        ["css", "app.css", "x"],
    ],
)
def test_nothing_else_is_opened(public: Path, parts: list[str]) -> None:
    before = descriptors()
    assert open_below(public, parts) is None
    assert descriptors() == before


def test_the_folder_itself_may_be_a_link(public: Path, tmp_path: Path) -> None:
    (tmp_path / "current").symlink_to(public)
    assert content(open_below(tmp_path / "current", ["css", "app.css"])) == "body {}"


def test_a_path_of_the_application_is_opened_only_if_it_is_a_plain_file(public: Path) -> None:
    assert content(open_plain(public / "css" / "app.css")) == "body {}"
    for path in (public, public / "pipe", public / "missing"):
        assert open_plain(path) is None


def test_a_file_that_cannot_be_opened_now_is_not_a_missing_file(
    public: Path, descriptors_left: DescriptorsLeft
) -> None:
    for left in range(3):
        with descriptors_left(left):
            if left < 1:
                with pytest.raises(ServiceUnavailable):
                    open_plain(public / "css" / "app.css")
            if left < 2:
                with pytest.raises(ServiceUnavailable):
                    open_below(public, ["css", "app.css"])
    assert content(open_below(public, ["css", "app.css"])) == "body {}"


def test_an_unreadable_file_or_an_invalid_name_is_a_missing_file(public: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(public / "s"))
        for parts in (["s"], ["a" * 300], ["app.css"] * 2000):
            assert open_below(public, parts) is None
