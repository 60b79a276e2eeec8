"""Numbers and outcomes in words, the same on the page and in the terminal."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal

import polars as pl

from paring.dataset.summary import Summary


def count(number: int, noun: str) -> str:
    """A number with its noun.

    >>> count(1, "image"), count(1463, "category"), count(0, "box")
    ('1 image', '1,463 categories', '0 boxes')
    """
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y"):
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun[-1] in 'xs' else 's'}"


def similar(value: float, digits: int = 4, *, bare: bool = False) -> str:
    """A similarity or threshold, rounded down, with more digits near 1: only 1 is shown as 1.

    With `bare`, zeros at the end are left out.

    >>> similar(0.98767), similar(0.99999876), similar(1), similar(0.95, bare=True)
    ('0.9876', '0.999998', '1.0000', '0.95')
    """
    if abs(value) >= 1 or math.isnan(value):
        return f"{value:g}" if bare else f"{value:.{digits}f}"
    exact = Decimal(repr(float(value)))
    step = Decimal(1).scaleb(-max(digits, -(1 - exact).adjusted()))
    text = f"{exact.quantize(step, ROUND_FLOOR) + 0:f}"
    return text.rstrip("0").rstrip(".") if bare else text


def headline(before: Summary, after: Summary, losses: pl.DataFrame) -> str:
    """A cut in one sentence."""
    gone = before.images - after.images
    words = f"{count(before.images, 'image')}, {gone:,} removed"
    worst = losses.filter((pl.col("group") == "category") & (pl.col("instances_before") > 0))
    if not len(worst):
        return f"{words}."
    share = after.instances / before.instances
    words += (
        f"; {after.instances:,} of {count(before.instances, 'instance')} stay ({100 * share:.1f} %)"
    )
    name, lost = worst["name"][0], worst["lost"][0]
    if lost == 0:
        return f"{words}; no category lost any."
    none = int((worst["lost"] == 1).sum())
    if none == 1:
        return f"{words}; {name} loses all of its own."
    if none:
        return f"{words}; {count(none, 'category')} lose all of their own, {name} among them."
    # rounded down, so that "at least" is true
    least = 100 * worst["instances_after"][0] // worst["instances_before"][0]
    return f"{words}; every category keeps at least {least} % of its own, {name} lost most."


def leaks_headline(leaking: int, n_train: int, n_test: int, threshold: float) -> str:
    """How many images leak, in one sentence.

    >>> leaks_headline(2, 800, 100, 0.95)
    '2 of 100 test images are 0.95 or more similar to one of 800 training images.'
    """
    return (
        f"{f'{leaking:,}' if leaking else 'none'} of {count(n_test, 'test image')} "
        f"{'are' if leaking > 1 else 'is'} {similar(threshold, bare=True)} or more similar to "
        f"one of {count(n_train, 'training image')}."
    )
