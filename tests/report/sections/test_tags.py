from __future__ import annotations

from paring.report.sections.made import Source
from paring.report.sections.tags import Tag, TagFacts, tags_headline


def facts(labels: int, *tags: int) -> TagFacts:
    rows = [Tag(f"t{k}", 3, n, min(n, 3)) for k, n in enumerate(tags)]
    return TagFacts(Source(None, "f"), 3, 900, labels, 50, rows, {}, {})


def test_the_headline_says_what_came_of_the_tags() -> None:
    assert tags_headline(facts(5, 4, 1, 0)) == (
        "5 pseudo-labels from the tags of 3 images; 2 of 3 tags have some."
    )
    assert tags_headline(facts(1, 1)) == (
        "1 pseudo-label from the tags of 3 images; 1 of 1 tag have some."
    )
