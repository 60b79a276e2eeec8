from __future__ import annotations

import msgspec
import pytest

from paring.report.sections.made import Made


def test_a_run_says_where_its_images_are() -> None:
    facts = msgspec.convert({"dataset": {"image_root": None, "fingerprint": "f"}, "more": 1}, Made)
    assert facts.dataset.image_root is None
    with pytest.raises(msgspec.ValidationError, match="dataset"):
        msgspec.convert({}, Made)
