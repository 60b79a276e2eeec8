"""The page of masks from images alone, in a browser."""

from __future__ import annotations

from pathlib import Path

import pytest

from freed_runs import freed_at
from paring.report.making import write_report


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    return write_report(freed_at(tmp_path_factory.mktemp("free")))


def test_layers_can_be_chosen(page: Path, look) -> None:
    view = look(page)
    found = view.page.locator("#found")
    cards = found.locator(".card")
    assert cards.count() == 12
    assert cards.first.locator("svg path").count() == 2
    found.get_by_role("button", name="For the second training").click()
    assert cards.first.locator("svg path").count() == 3
    found.get_by_role("button", name="Free masks").click()
    assert cards.first.locator("svg path").count() > 3
    found.get_by_role("button", name="Exemplars").click()
    assert cards.first.locator("svg path").count() == 0
    assert cards.nth(1).locator("svg path").count() == 1
    found.get_by_role("button", name="Show more").click()
    assert cards.count() == 14


def test_what_came_of_each_stage_is_a_table(page: Path, look) -> None:
    view = look(page)
    assert view.page.locator("#free-table tbody tr").count() == 5
    words = view.page.locator("#free").inner_text()
    assert "12.5 % of the embeddings" in words
    assert "AP50 25.0 %" in words


def test_free_masks_alone_offer_no_layers_that_are_not_there(tmp_path: Path, look) -> None:
    view = look(write_report(freed_at(tmp_path, images=3, stage="masks", quality=False)))
    buttons = view.page.locator("#found button").all_inner_texts()
    assert "Free masks" in buttons
    assert "Exemplars" not in buttons
    assert "can only be looked at" in view.page.locator("#free").inner_text()


def test_it_fits_a_telephone(page: Path, look) -> None:
    view = look(page, viewport={"width": 390, "height": 800})
    wide = view.page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390
