"""A similarity network as a file for Gephi, Cytoscape and the like: GraphML and GEXF."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import networkx as nx

# what XML 1.0 cannot hold, and the carriage return, which its readers change
_NOT_IN_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def image_graph(
    file_names: Sequence[str],
    labels: NDArray[np.int64],
    kept: NDArray[np.bool_],
    degrees: NDArray[np.int64],
    source_rows: NDArray[np.int64],
    target_rows: NDArray[np.int64],
    similarities: NDArray[np.floating],
) -> nx.Graph:
    """Graph of images with all that is known of them, for `write_graphml` and `write_gexf`.

    Nodes are the rows of the data set, with ``label`` (the file name; characters that XML cannot
    hold are U+FFFD), ``community``, ``degree`` and ``kept``; edges have their ``similarity``.

    Parameters
    ----------
    file_names, labels, kept, degrees : of each image (n,).
    source_rows, target_rows, similarities : of each edge (m,), in any order.

    >>> one, other = np.array([0]), np.array([1])
    >>> facts = np.zeros(2, dtype=np.int64), np.ones(2, dtype=bool), np.ones(2, dtype=np.int64)
    >>> graph = image_graph(["a.jpg", "b.jpg"], *facts, one, other, np.array([0.9]))
    >>> graph.nodes[1]["label"], graph.edges[0, 1]["similarity"]
    ('b.jpg', 0.9)
    """
    import networkx as nx

    graph = nx.Graph()
    names = (_NOT_IN_XML.sub("\ufffd", name) for name in file_names)
    nodes = zip(names, labels.tolist(), degrees.tolist(), kept.tolist(), strict=True)
    for row, (name, community, degree, stays) in enumerate(nodes):
        graph.add_node(row, label=name, community=community, degree=degree, kept=stays)
    low, high = np.minimum(source_rows, target_rows), np.maximum(source_rows, target_rows)
    order = np.lexsort((high, low))
    columns = (np.asarray(column)[order].tolist() for column in (low, high, similarities))
    for one, other, similarity in zip(*columns, strict=True):
        graph.add_edge(one, other, similarity=similarity)
    return graph


def write_graphml(path: Path, graph: nx.Graph) -> None:
    """Write a graph as GraphML; equal graphs give equal bytes."""
    import networkx as nx

    with open(path, "wb") as file:  # an open file, since networkx would compress a name in .gz
        nx.write_graphml_xml(graph, file)  # and write otherwise where lxml is installed


def write_gexf(path: Path, graph: nx.Graph) -> None:
    """Write a graph as GEXF 1.2, Gephi's own format; equal graphs give equal bytes.

    The date that networkx puts in is left out, and so is its version.
    """
    from networkx.readwrite.gexf import GEXFWriter

    writer = GEXFWriter()
    meta = writer.xml.find("meta")
    meta.attrib.pop("lastmodifieddate", None)
    meta.find("creator").text = "paring"
    writer.add_graph(graph)
    with open(path, "wb") as file:
        writer.write(file)
