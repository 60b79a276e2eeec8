"""One HTML file out of data, style, scripts and the chart library."""

from __future__ import annotations

import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

SCRIPTS = (
    "core.js",
    "charts.js",
    "cut.js",
    "virtual.js",
    "pictures.js",
    "summary.js",
    "slider.js",
    "distributions.js",
    "scores.js",
    "network.js",
    "pairs.js",
    "gallery.js",
    "compare.js",
    "browse.js",
    "about.js",
    "start.js",
)
"""The scripts of the page in their order; a section of its own is a file of its own here."""

_LICENCES = (
    "echarts-LICENSE.txt",
    "echarts-NOTICE.txt",
    "echarts-LICENSE-d3.txt",
    "zrender-LICENSE.txt",
)
_SLOT = re.compile(r"@@(\w+)@@")


def write_page(folder: Path, data: dict[str, Any], *, title: str, headline: str) -> None:
    """Write ``index.html`` into a folder, with the licence of the charts beside it.

    `data` is what the sections show; the page holds it as JSON. Nothing in it is ever read as
    markup: the scripts set text alone, and the JSON has no ``<``.
    """
    slots = {
        "title": html.escape(title),
        "headline": html.escape(headline),
        "style": asset("page.css"),
        "charts": asset("echarts.min.js"),
        "script": "\n".join(asset(name) for name in SCRIPTS),
        "data": as_json(data),
    }
    text = _SLOT.sub(lambda slot: slots[slot[1]], asset("page.html"))
    # a name that is no UTF-8 is shown with its odd bytes replaced
    (folder / "index.html").write_bytes(text.encode("utf-8", "replace"))
    said = "\n\n".join(asset(name) for name in _LICENCES)
    (folder / "LICENSES.txt").write_text(said, encoding="utf-8")


def as_json(data: dict[str, Any]) -> str:
    r"""JSON that can stand in a script element.

    >>> as_json({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def asset(name: str) -> str:
    """A file that the page is made of."""
    return files("paring.report").joinpath("assets", name).read_text(encoding="utf-8")
