"""What `import paring` costs, beside an empty interpreter and beside its heavy parts."""

from __future__ import annotations

import subprocess
import sys

from machine import machine, save, seconds, spread, words

CASES = {
    "empty interpreter": "pass",
    "import paring": "import paring",
    "import polars": "import polars",
    "import cv2": "import cv2",
    "import numba": "import numba",
}
LATE = ("torch", "cv2", "matplotlib", "numba", "polars", "numpy")


def main() -> None:
    """Time each import in fresh processes, in turn, and name what was loaded."""
    commands = {name: [sys.executable, "-c", code] for name, code in CASES.items()}
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for turn in range(16):
        for name, command in commands.items():
            took = seconds(lambda command=command: subprocess.run(command, check=True))
            if turn:  # the first turn warms the file cache
                times[name].append(took)
    code = f"import paring, sys; print([m for m in {LATE!r} if m in sys.modules])"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    spreads = {name: spread(values) for name, values in times.items()}
    base = spreads["empty interpreter"]["median"]
    added = round(spreads["import paring"]["median"] - base, 4)
    result = {
        "machine": machine("polars", "numpy"),
        "seconds": spreads,
        "import_paring_adds_seconds": added,
        "loaded_by_import_paring": loaded.stdout.strip(),
    }
    lines = ["| process | wall clock |", "|---|---|"]
    lines += [f"| {name} | {words(values)} |" for name, values in spreads.items()]
    lines += [
        "",
        f"`import paring` adds {added:.3f} s to an empty interpreter (goal: under 0.15 s).",
    ]
    save("imports", result, lines)


if __name__ == "__main__":
    main()
