from __future__ import annotations

import pytest

from paring.cli import extras
from paring.errors import InputError


def test_what_is_missing_is_named_with_the_way_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "lightning" else name)
    with pytest.raises(InputError, match=r"^a wish needs lightning; .*'paring\[torch\]'"):
        extras.need_torch("a wish")


def test_nothing_is_said_where_all_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: name)
    extras.need_torch("a wish")
