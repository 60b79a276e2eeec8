from pathlib import Path

import paring
from commands import Paring
from paring.report.making import KINDS
from paring.report.subject import Wishes


def test_every_kind_of_run_has_one_kind_of_page(tmp_path: Path, paring_here: Paring) -> None:
    for name, seed in (("train", 0), ("test", 1)):
        paring.scenes(6, seed=seed, size=(48, 64), folder=tmp_path / name)
    plain = ("--size", 32, "--no-report", "-o")
    paring_here("images", "similarity", "train", "--rate", 0.5, *plain, "cut")
    paring_here("images", "leaks", "train", "test", *plain, "leaks")
    for name, title in (("cut", "cut · paring"), ("leaks", "leaks · paring")):
        found = [kind(tmp_path / name, Wishes()) for kind in KINDS]
        assert [subject.title for subject in found if subject is not None] == [title]
        (subject,) = (subject for subject in found if subject is not None)
        rows = {row for some in subject.worth for row in some}
        assert rows <= set(range(len(subject.data)))
        assert len(subject.names.shown) == len(subject.data)
