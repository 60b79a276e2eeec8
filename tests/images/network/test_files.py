import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paring.images.network.files import image_graph, write_gexf, write_graphml

FORMATS = [(write_graphml, nx.read_graphml), (write_gexf, nx.read_gexf)]


def small_graph(names: list[str], order: list[int] | None = None) -> nx.Graph:
    """Three images; 0-1 and 1-2 are similar."""
    order = order or [0, 1]
    return image_graph(
        names,
        np.array([0, 0, 1]),
        np.array([False, True, True]),
        np.array([1, 2, 1]),
        np.array([1, 1])[order],
        np.array([0, 2])[order],
        np.array([0.75, 0.1])[order],
    )


@pytest.mark.parametrize(("write", "read"), FORMATS)
def test_networkx_reads_back_all_that_was_written(tmp_path: Path, write, read) -> None:
    names = ["a.jpg", "folder/ü <&> \"'.png", "c\td 画像.jpg"]
    write(tmp_path / "network", small_graph(names))
    back = read(tmp_path / "network", node_type=int)
    keys = ("label", "community", "degree", "kept")
    assert [tuple(back.nodes[i][key] for key in keys) for i in range(3)] == [
        (names[0], 0, 1, False),
        (names[1], 0, 2, True),
        (names[2], 1, 1, True),
    ]
    edges = {tuple(sorted(edge[:2])): edge[2] for edge in back.edges(data="similarity")}
    assert edges == {(0, 1): 0.75, (1, 2): 0.1}


@pytest.mark.parametrize(("write", "read"), FORMATS)
@settings(max_examples=60)
@given(st.text(st.characters(exclude_categories=()), max_size=8))
def test_a_file_name_of_any_characters_gives_a_valid_file(
    tmp_path_factory: pytest.TempPathFactory, write, read, name: str
) -> None:
    path = tmp_path_factory.mktemp("files") / "network"
    write(path, small_graph(["a", f"x{name}x", "c"]))
    label = read(path, node_type=int).nodes[1]["label"]
    assert len(label) == len(name) + 2
    for before, after in zip(f"x{name}x", label, strict=True):
        assert after == before or after == "\ufffd"


@pytest.mark.parametrize("bad", ["\x00", "\x1b", "\r", "\udc80", "\uffff"])
def test_what_xml_cannot_hold_becomes_the_replacement_character(bad: str) -> None:
    assert small_graph(["a", f"x{bad}y", "c"]).nodes[1]["label"] == "x\ufffdy"


@pytest.mark.parametrize(("write", "read"), FORMATS)
def test_the_order_of_edges_and_the_name_of_the_file_change_no_byte(
    tmp_path: Path, write, read
) -> None:
    write(tmp_path / "one", small_graph(["a", "b", "c"]))
    write(tmp_path / "other.gz", small_graph(["a", "b", "c"], [1, 0]))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other.gz").read_bytes()


def test_gexf_holds_no_date_and_no_version(tmp_path: Path) -> None:
    write_gexf(tmp_path / "network", small_graph(["a", "b", "c"]))
    meta = ElementTree.parse(tmp_path / "network").getroot().find("{*}meta")
    assert meta is not None
    assert meta.attrib == {}
    assert nx.__version__ not in (tmp_path / "network").read_text(encoding="utf-8")[:600]


@pytest.mark.parametrize(("write", "read"), FORMATS)
def test_a_network_without_images_can_be_written(tmp_path: Path, write, read) -> None:
    none = np.zeros(0, dtype=np.int64)
    write(tmp_path / "network", image_graph([], none, none > 0, none, none, none, none * 1.0))
    assert len(read(tmp_path / "network")) == 0


def test_the_network_modules_import_nothing_heavy() -> None:
    code = """
import sys
import paring.images.network.community, paring.images.network.graph, paring.images.network.files
print([name for name in ("scipy", "sknetwork", "networkx") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
