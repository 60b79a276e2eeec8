"""What every benchmark shares: the machine in words, medians with their spread, result files."""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine(*packages: str) -> dict[str, Any]:
    """Processor, cores, system and versions; no name of the machine."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def seconds(work: Callable[[], Any]) -> float:
    """Wall-clock seconds of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def spread(values: Sequence[float], digits: int = 4) -> dict[str, float]:
    """Median, smallest and largest of repeated measurements."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "repeats": len(values),
    }


def words(values: dict[str, float], unit: str = "s") -> str:
    """A spread for a table: median (min to max)."""
    gap = f" {unit}" if unit else ""
    return f"{values['median']:.3g}{gap} ({values['min']:.3g} to {values['max']:.3g})"


def save(name: str, result: dict[str, Any], lines: Sequence[str]) -> None:
    """Write a result as JSON, and as the Markdown that the docs take in; print the latter."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    about = result["machine"]
    tail = (
        f"Measured on {about['cores']} cores of {about['processor']}, "
        f"{about['memory_gib']:.0f} GiB, "
        f"Python {about['python']}."
    )
    markdown = "\n".join([*lines, "", tail]) + "\n"
    (RESULTS / f"{name}.md").write_text(markdown, encoding="utf-8")
    print(markdown)
