"""A stream begins with the version, reports changes once, and watches only while it is open."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from arlen_runtime.live_reload.change_feed import ChangeFeed
from arlen_runtime.live_reload.watched_files import WatchedFiles

PATIENCE_SECONDS = 10.0


@pytest.fixture
def feed(tmp_path: Path) -> ChangeFeed:
    (tmp_path / "a.html").write_text("old")
    (tmp_path / "a.css").write_text("old")
    return ChangeFeed("code", WatchedFiles([tmp_path]))


@pytest.fixture(autouse=True)
def _no_thread_watches_afterwards() -> Iterator[None]:
    yield
    assert_no_thread_watches()


class Listener:
    """Reads a stream, as the server does."""

    def __init__(self, feed: ChangeFeed) -> None:
        self.stream = feed.subscribe()
        self._ready = threading.Event()
        self.stream.attach(self._ready.set)

    def next_event(self) -> list[str]:
        """Wait for one event; return the versions of the page and of its styles."""
        assert self._ready.wait(PATIENCE_SECONDS)
        self._ready.clear()
        data = self.stream.take().decode()
        assert data.startswith("data: ")
        assert data.count("\n\n") == 1
        code, files, styles = data.removeprefix("data: ").split()
        return [code + files, styles]


def first_event(feed: ChangeFeed) -> list[str]:
    listener = Listener(feed)
    listener.stream.close()
    return listener.next_event()


def watchers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "live-reload"]


def assert_no_thread_watches() -> None:
    for thread in watchers():
        thread.join(PATIENCE_SECONDS)
    assert watchers() == []


def test_a_stream_begins_with_the_version_which_depends_on_code_and_files(feed: ChangeFeed, tmp_path: Path) -> None:
    page, styles = first_event(feed)
    assert first_event(ChangeFeed("code", WatchedFiles([tmp_path]))) == [page, styles]
    new_page, same_styles = first_event(ChangeFeed("newer", WatchedFiles([tmp_path])))
    assert (new_page != page, same_styles) == (True, styles)


def test_each_listener_receives_a_burst_of_saves_as_one_event(feed: ChangeFeed, tmp_path: Path) -> None:
    listeners = [Listener(feed) for _ in range(3)]
    assert (len(watchers()), feed.count()) == (1, 3)
    (page, styles), *_others = [listener.next_event() for listener in listeners]
    for number in range(10):
        (tmp_path / "a.html").write_text(f"{number}")
    for listener in listeners:
        new_page, same_styles = listener.next_event()
        assert (new_page != page, same_styles) == (True, styles)
    (tmp_path / "a.css").write_text("a new style")
    for listener in listeners:
        same_page, new_styles = listener.next_event()
        assert (same_page, new_styles != styles) == (new_page, True), "nothing came twice"
        listener.stream.close()


@pytest.mark.parametrize("way", ["closed", "never sent"])
def test_no_thread_watches_while_no_stream_is_open(feed: ChangeFeed, way: str) -> None:
    assert watchers() == []
    for _ in range(2):  # it starts again for the next listener
        stream = feed.subscribe()
        assert (len(watchers()), feed.count()) == (1, 1)
        if way == "closed":
            stream.close()
        del stream
        assert_no_thread_watches()
        assert feed.count() == 0
