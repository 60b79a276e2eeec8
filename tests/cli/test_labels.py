"""`paring labels ...`."""

from __future__ import annotations

import pytest


def test_help_names_what_there_is(paring_here) -> None:
    done = paring_here("labels", "--help")
    assert done.returncode == 0
    for name in ("proposals", "from-tags"):
        assert name in done.stdout
    assert "from-images" not in done.stdout  # what is not built is not in the help


@pytest.mark.parametrize("command", ["proposals", "from-tags"])
def test_each_command_has_an_example(paring_here, command: str) -> None:
    done = paring_here("labels", command, "--help")
    assert "Example" in done.stdout
    assert f"paring labels {command}" in done.stdout


def test_without_torch_it_says_what_to_install(paring_here, monkeypatch, tmp_path) -> None:
    from paring.cli import extras

    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    done = paring_here("labels", "from-tags", tmp_path, "--show", "-o", "run")
    assert done.returncode == 2
    assert "learning from tags needs torch and lightning; install the extra" in done.stderr
