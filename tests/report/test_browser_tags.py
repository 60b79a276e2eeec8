"""The page of masks from tags, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from paring.report.making import write_report
from tagged_runs import tagged_at


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write_report(tagged_at(tmp_path_factory.mktemp("tags")))


def test_layers_can_be_chosen(page: Path, look) -> None:
    view = look(page)
    mining = view.page.locator("#mining")
    cards = mining.locator(".card")
    assert cards.count() == 12
    first = cards.first
    shapes = first.locator("svg path").count()
    assert shapes > 2
    mining.get_by_role("button", name="Pseudo ground truth").click()
    assert cards.first.locator("svg path").count() == 2
    mining.get_by_role("button", name="Seeds", exact=True).click()
    assert cards.first.locator("svg path").count() == 3
    mining.get_by_role("button", name="Peaks", exact=True).click()
    assert cards.first.locator("svg path").count() == 0
    assert cards.first.locator("svg circle").count() > 0
    mining.get_by_role("button", name="Show more").click()
    assert cards.count() == 14


def test_what_came_of_each_tag_is_a_table(page: Path, look) -> None:
    view = look(page)
    rows = view.page.locator("#tags-table tbody tr")
    assert rows.count() == 8
    assert "mAP50 25.0 %" in view.page.locator("#tags").inner_text()


def test_it_fits_a_telephone(page: Path, look) -> None:
    view = look(page, viewport={"width": 390, "height": 800})
    wide = view.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
