from __future__ import annotations

import sys
from types import ModuleType

import pytest

import paring
from paring.lazy import lazily


def test_a_name_is_brought_in_once_and_is_there_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    package = ModuleType("made_up")
    monkeypatch.setitem(sys.modules, "made_up", package)
    get = lazily("made_up", {"sqrt": "math"})
    assert not hasattr(package, "sqrt")
    assert get("sqrt")(9) == 3
    assert package.sqrt(9) == 3


def test_a_name_that_is_not_offered_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="module 'paring.evaluation' has no attribute 'no'"):
        paring.evaluation.no  # noqa: B018


@pytest.mark.torch
@pytest.mark.parametrize("room", ["channels", "evaluation", "experiment", "models", "training"])
def test_every_name_that_a_room_offers_is_there(room: str) -> None:
    pytest.importorskip("torch")
    package = getattr(paring, room)
    assert [name for name in package.__all__ if not hasattr(package, name)] == []
