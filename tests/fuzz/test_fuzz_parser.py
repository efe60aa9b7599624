"""Replay the fuzzer's inputs; with the marker, run the fuzzer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from target import one_input, read

HERE = Path(__file__).parent
INPUTS = sorted((HERE / "inputs").iterdir())
SECONDS = 60


def test_no_input_that_the_fuzzer_has_found_has_two_readings(capsys: pytest.CaptureFixture[str]) -> None:
    for path in INPUTS:
        one_input(path.read_bytes())
    with capsys.disabled():
        print(f"\nfuzzing: {len(INPUTS)} inputs replayed")  # noqa: T201 - show the count


def test_the_target_detects_that_cuts_change_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cuts = iter(range(10))
    monkeypatch.setattr("target.read", lambda data, size: (read(data, size), next(cuts)))
    with pytest.raises(RuntimeError, match="cuts change what is read"):
        one_input(b"\x06GET / HTTP/1.1\r\nHost: x\r\n\r\n")


@pytest.mark.fuzz
def test_a_minute_of_fuzzing_finds_nothing(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "fuzz_parser.py"), str(tmp_path), str(HERE / "inputs")]
    run = subprocess.run(
        [*command, f"-max_total_time={SECONDS}", "-timeout=5", "-max_len=2048", f"-artifact_prefix={tmp_path}/"],
        capture_output=True,
        text=True,
        timeout=SECONDS * 3,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-4000:]
    assert "DONE" in run.stderr
