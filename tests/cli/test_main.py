import re
import subprocess
import sys
from pathlib import Path

import pytest

import factory
import paring
from commands import Paring

COMMANDS = [
    [],
    ["demo"],
    ["inspect"],
    ["convert"],
    ["images"],
    ["images", "shape"],
    ["images", "count"],
    ["images", "random"],
    ["images", "ccs"],
    ["images", "apply"],
    ["images", "similarity"],
    ["images", "leaks"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_a_help_page_and_each_that_acts_an_example(
    paring_here: Paring, command: list[str]
) -> None:
    done = paring_here(*command, "--help")
    assert done.returncode == 0
    assert command in ([], ["images"]) or "Example: paring" in done.stdout


def test_the_version_is_shown(paring_command: Paring) -> None:
    assert paring_command("--version").stdout == f"paring {paring.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "gone.json"], "gone.json: no such file or folder"),
        (["inspect", "other"], "not recognised as a data set"),
        (["images", "shape", "d.json", "--rate", "1", "-o", "run"], "0 <= rate < 1, not 1"),
        (["images", "shape", "d.json", "--rate", "-0.5", "-o", "run"], "0 <= rate < 1"),
        (["images", "shape", "d.json", "-o", "run"], "either the rate to prune or the count"),
        (["images", "shape", "d.json", "--count", "9", "-o", "run"], "between 1 and 2"),
        (["images", "shape", "half.json", "--rate", "0.5", "-o", "run"], "is not valid JSON"),
        (["images", "shape", "d.json", "--rate", "0.5", "-o", "d.json/run"], "cannot be written"),
        (["images", "shape", "d.json", "--rate", "0.5", "-o", "other"], "other: exists already"),
        (
            ["images", "shape", "d.json", "--rate", "0.5", "-o", "other", "--overwrite"],
            "other: is not a run folder",
        ),
        (
            ["images", "ccs", "d.json", "--rate", "0.5", "-o", "run", "--scores", "d.json"],
            "is not a",
        ),
        (["convert", "d.json", "--to", "voc", "-o", "run", "--images", "gone"], "does not exist"),
        (["inspect", "loop"], "loop"),
    ],
    ids=lambda v: " ".join(v) if isinstance(v, list) else "",
)
def test_bad_input_ends_in_one_sentence_exit_code_2_and_no_output(
    paring_here: Paring, tmp_path: Path, arguments: list[str], message: str
) -> None:
    text = factory.write_json(tmp_path / "d.json", factory.coco()).read_text()
    (tmp_path / "half.json").write_text(text[:150])
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    before = sorted(p.name for p in tmp_path.rglob("*"))
    done = paring_here(*arguments)
    assert done.returncode == 2
    assert message in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sorted(p.name for p in tmp_path.rglob("*")) == before


def test_unknown_options_are_refused_with_exit_code_2(paring_here: Paring) -> None:
    assert paring_here("inspect", "--colour").returncode == 2


def test_a_signal_that_was_to_be_ignored_still_is() -> None:
    code = (
        "import signal, sys, paring.cli.main as m\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN); sys.argv = ['paring', '--version']\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN\n"
        "assert signal.getsignal(signal.SIGTERM) == m._stop"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
