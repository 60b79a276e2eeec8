import statistics
import subprocess
import sys
import time
from pathlib import Path

import pytest

import factory
import paring

HEAVY = ("torch", "cv2", "matplotlib", "numba", "polars", "scipy", "PIL", "rich")


def loaded_after(code: str) -> set[str]:
    check = f"{code}; import sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    return set(eval(done.stdout.splitlines()[-1]))


def test_importing_costs_next_to_nothing_and_loads_nothing_heavy() -> None:
    assert loaded_after("import paring") == set()
    took = []
    for code in ["pass", "import paring"] * 5:
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        took.append(time.perf_counter() - started)
    assert statistics.median(took[1::2]) - statistics.median(took[::2]) < 0.15


def test_reading_geometry_and_selection_load_neither_torch_nor_cv2(tmp_path: Path) -> None:
    file = factory.write_json(tmp_path / "d.json", factory.coco())
    code = (
        f"import paring; d = paring.read({str(file)!r}); i = paring.images; "
        "s = i.shape_scores(d, contour='polygon'); i.keep_top(s, rate=0.5).apply(d).write("
        f"{str(tmp_path / 'kept.json')!r})"
    )
    assert loaded_after(code) == {"polars"}


def test_small_jobs_do_not_wait_for_a_compiler() -> None:
    code = "import paring; paring.images.shape_scores(paring.scenes(50))"
    assert "numba" not in loaded_after(code)


def test_every_public_name_is_there() -> None:
    for name in paring.__all__:
        assert getattr(paring, name) is not None
        assert name in dir(paring)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        paring.nothing  # noqa: B018


def test_the_report_room_brings_its_names_when_asked() -> None:
    code = (
        "import sys, paring; from paring.report import words;"
        "assert 'paring.report.making' not in sys.modules;"
        "assert paring.report.write_report.__module__ == 'paring.report.making';"
        "assert all(hasattr(paring.report, name) for name in paring.report.__all__);"
        "assert not hasattr(paring.report, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
