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
    "leaks.js",
    "gallery.js",
    "compare.js",
    "browse.js",
    "experiment.js",
    "channels.js",
    "mined.js",
    "tags.js",
    "free.js",
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
_GENERATOR = b'<meta name="generator" content="paring">'
_NO_TEXT = re.compile("[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
"""What may not stand in HTML as it is."""

_SLOT = re.compile(r"@@(\w+)@@")


def write_page(folder: Path, data: dict[str, Any], *, title: str, headline: str) -> None:
    """Write ``index.html`` into a folder, with the licence of the charts beside it.

    `data` is what the sections show; the page holds it as JSON. Nothing in it is ever read as
    markup: the scripts set text alone, and the JSON has no ``<``.
    """
    slots = {
        "title": html.escape(_NO_TEXT.sub("\ufffd", title)),
        "headline": html.escape(_NO_TEXT.sub("\ufffd", headline)),
        "style": asset("page.css"),
        "charts": asset("echarts.min.js"),
        "script": "\n".join(asset(name) for name in SCRIPTS),
        "data": as_json(data),
    }
    text = _SLOT.sub(lambda slot: slots[slot[1]], asset("page.html"))
    (folder / "index.html").write_text(text, encoding="utf-8", newline="\n")
    said = "\n\n".join(asset(name) for name in _LICENCES)
    (folder / "LICENSES.txt").write_text(said, encoding="utf-8")


def as_json(data: dict[str, Any]) -> str:
    r"""JSON that can stand in a script element.

    >>> as_json({"name": "</script>"})
    '{"name":"\\u003c/script>"}'
    """
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("<", "\\u003c")
    return _NO_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def is_page(path: Path) -> bool:
    """Whether a file is a page that `write_page` wrote."""
    try:
        with path.open("rb") as file:
            return _GENERATOR in file.read(2000)
    except OSError:
        return False


def asset(name: str) -> str:
    """A file that the page is made of."""
    return files("paring.report").joinpath("assets", name).read_text(encoding="utf-8")
