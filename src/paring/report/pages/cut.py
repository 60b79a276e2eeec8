"""The page of a run that cut images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from paring.dataset.summary import compare
from paring.report.choosing import by_rank, spread
from paring.report.folder import RunFolder
from paring.report.hiding import Names
from paring.report.sections.cut import cut_section, images_section
from paring.report.sections.network import network_section
from paring.report.subject import Subject, Wishes
from paring.report.words import headline


def cut_page(path: Path, wishes: Wishes) -> Subject | None:
    """The page of a run that chose images; None where the folder has no subset.

    Raises `InputError` where a file of the run cannot be read.
    """
    if not (path / "subset.json").is_file():
        return None
    run = RunFolder.open(path, data=wishes.data, images=wishes.images, progress=wishes.progress)
    names = Names.of(run.data.images, run.about.fingerprint, hide=wishes.hash_names)
    network = network_section(run.path, run.rows_of, run.kept)
    if network is not None and names.hidden:
        network["groups"] = None
    sections: dict[str, Any] = {
        "images": images_section(run.data, names),
        "cuts": [cut_section(run, names)],
        "network": network,
    }
    before, after = run.data.summary(), run.data.subset(run.subset.kept).summary()
    return Subject(
        title="A cut of images" if names.hidden else f"{path.resolve().name} · paring",
        headline=headline(before, after, compare(before, after)),
        data=run.data,
        names=names,
        sections=sections,
        worth=_worth_seeing(run, network),
        said=run.said,
    )


def _worth_seeing(run: RunFolder, network: dict[str, Any] | None) -> list[Sequence[int]]:
    """Rows of images from the one most worth a thumbnail on."""
    lists: list[Sequence[int]] = []
    if network is not None:
        lists += _of_network(network)
    elif run.ranking is not None:
        lists += by_rank(run.ranking, int(run.kept.sum()))
    for flags in (run.kept, ~run.kept):
        rows = np.flatnonzero(flags)
        lists.append(rows[spread(len(rows))].tolist() if len(rows) else [])
    return lists


def _of_network(network: dict[str, Any]) -> list[Sequence[int]]:
    """The worst covered beside what covers them, then the communities from the largest on."""
    similarity = np.array([np.nan if v is None else v for v in network["similarity"]], float)
    covered = np.array(network["covered_by"])
    worst: NDArray[np.int64] = np.flatnonzero(covered >= 0)
    worst = worst[np.argsort(similarity[worst], kind="stable")]
    pairs = np.stack((worst, covered[worst]), axis=1).reshape(-1).tolist()
    return [pairs[:400], network["drawn"]["rows"], pairs]
