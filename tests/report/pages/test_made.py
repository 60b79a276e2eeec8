from __future__ import annotations

from pathlib import Path

import pytest

from freed_runs import freed_at
from paring.errors import InputError
from paring.labels.free.examples import FILE, LAYERS, THING, FreeExample
from paring.report.drawn import layer_of
from paring.report.pages.made import made_page, read_made
from paring.report.sections.free import FreeFacts
from paring.report.subject import Wishes

METHOD = "from-images"


def test_a_run_of_another_method_is_not_read(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=2)
    assert read_made(run, "from-tags", FreeFacts, FILE, FreeExample) is None
    facts, examples = read_made(run, METHOD, FreeFacts, FILE, FreeExample) or (None, [])
    assert facts is not None
    assert facts.images == len(examples) == 2


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    run = freed_at(tmp_path, images=2)
    (run / FILE).unlink()
    with pytest.raises(InputError, match=r"run: is not what a run wrote"):
        read_made(run, METHOD, FreeFacts, FILE, FreeExample)


@pytest.mark.parametrize("hidden", [False, True])
def test_a_page_has_the_images_and_what_the_run_adds(tmp_path: Path, hidden: bool) -> None:
    run = freed_at(tmp_path, images=3)
    facts, examples = read_made(run, METHOD, FreeFacts, FILE, FreeExample) or (None, [])
    assert facts is not None
    layers = {name: layer_of(examples, name, [THING], hidden=False) for name in LAYERS}
    subject = made_page(
        run,
        Wishes(hash_names=hidden),
        facts,
        layers,
        title="Hidden",
        headline="It is so.",
        section=lambda names: {"own": names.hidden},
    )
    assert subject.sections["own"] is hidden
    assert list(subject.sections) == ["images", "own"]
    assert subject.title == ("Hidden" if hidden else "run · paring")
    assert subject.data.image_root == tmp_path / "photos"
    assert subject.worth == [[0, 1, 2]]
