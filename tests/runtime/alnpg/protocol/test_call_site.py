"""The call site of a statement."""

from __future__ import annotations

import sys

from arlen_runtime.alnpg.protocol.call_site import call_site, frame_location


def test_the_call_site_is_the_first_frame_outside_alnpg() -> None:
    path, _, line = call_site().rpartition(":")
    assert path == __file__
    assert int(line) == test_the_call_site_is_the_first_frame_outside_alnpg.__code__.co_firstlineno + 1
    assert frame_location(sys._getframe()).startswith(__file__)
    assert frame_location(None) == ""
