"""Coverage-guided fuzzing of the parser and the readers. Arguments are libFuzzer's own.

python tests/fuzz/fuzz_parser.py new-inputs tests/fuzz/inputs -max_total_time=1200
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["arlen_runtime"]):
    from target import one_input

if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
