"""`paring labels ...`."""

from __future__ import annotations

import pytest


def test_help_names_what_there_is(paring_here) -> None:
    done = paring_here("labels", "--help")
    assert done.returncode == 0
    for name in ("proposals", "from-tags", "from-images", "predict"):
        assert name in done.stdout


@pytest.mark.parametrize("command", ["proposals", "from-tags", "from-images", "predict"])
def test_each_command_has_an_example(paring_here, command: str) -> None:
    done = paring_here("labels", command, "--help")
    assert "Example" in done.stdout
    assert f"paring labels {command}" in done.stdout


@pytest.mark.parametrize(
    ("command", "what"),
    [("from-tags", "learning from tags"), ("from-images", "learning from images alone")],
)
def test_without_torch_it_says_what_to_install(
    paring_here, monkeypatch, tmp_path, command: str, what: str
) -> None:
    from paring.cli import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    done = paring_here("labels", command, tmp_path, "--show", "-o", "run")
    assert done.returncode == 2
    assert f"{what} needs torch and lightning; install the extra" in done.stderr
