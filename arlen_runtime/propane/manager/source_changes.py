"""Changes of the source files, as the watcher and the workers of `arlen serve` report them.

Both may report the same change, and a generation may be started while a file is still being
written. So a report is compared with the files that the active generation was imported from.
"""

from __future__ import annotations

from arlen_runtime.log.logger import Log
from arlen_runtime.propane.manager.generation_record import GenerationRecord
from arlen_runtime.propane.manager.state import ManagerState

FILES_CHANGED = "files_changed"
"""The reason of a reload after a change of the source files."""
MOST_IN_A_ROW = 3
"""If files change during so many imports in a row, then it is the imports that write them. Each
generation would be outdated from the start, and none would ever answer.
"""


class SourceChanges:
    """The last report, and during how many imports in a row files have changed."""

    def __init__(self, state: ManagerState, log: Log) -> None:
        self._state = state
        self._log = log
        self._digest = ""
        self._in_a_row = 0

    def on_files_changed(self, digest: str) -> None:
        """Request a reload for a source tree with this digest."""
        self._digest = digest
        self._state.reload_reason = self._state.reload_reason or FILES_CHANGED

    def require_reload(self, active: GenerationRecord | None) -> bool:
        """Return True if the active generation does not serve the files that were reported last."""
        if active is None:
            return True
        if active.source_digest == self._digest:
            return False  # reported twice, or reverted
        self._in_a_row = self._in_a_row + 1 if active.changed_during_import else 0
        if self._in_a_row == MOST_IN_A_ROW:
            self._log.warning("import_writes_sources", generations=MOST_IN_A_ROW)
        return True

    @property
    def import_writes_sources(self) -> bool:
        """Return True if a change during the next import is to be taken for one by the import."""
        return self._in_a_row >= MOST_IN_A_ROW
