from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn

from narrowed import image
from paring.channels.costs import model_costs
from paring.channels.latency import Latency
from paring.channels.structure import find_structure
from paring.errors import InputError

pytestmark = pytest.mark.torch


@pytest.fixture
def costs():
    net, x = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 4, 1)), image(1, 3, 4, 4)
    return model_costs(net, x, find_structure(net, x))


def test_a_layer_takes_time_as_it_has_macs_and_the_rest_stays(costs) -> None:
    latency = Latency(total=10.0, layers={"0": 4.0, "2": 4.0, "elsewhere": 1.0})
    latency.fit(costs)
    predicted = latency.predicted(costs)
    assert predicted(np.array([0])) == pytest.approx(10.0)
    assert predicted(np.array([4])) == pytest.approx(2.0 + 2.0 + 2.0)


def test_a_measurement_is_read_and_one_of_another_network_refused(costs, tmp_path: Path) -> None:
    file = tmp_path / "device.json"
    file.write_text(json.dumps({"ms": 3.5, "layers": {"x.0": 1.0}, "threads": 4, "more": []}))
    latency = Latency.load(file)
    assert (latency.total, latency.layers) == (3.5, {"x.0": 1.0})
    with pytest.raises(InputError, match=r"of another network: none of its layers .* \(x.0\)"):
        latency.fit(costs)


@pytest.mark.parametrize("text", ["{", '{"ms": "fast", "layers": {}}', '{"layers": {}}'])
def test_a_file_that_is_no_measurement_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "device.json"
    file.write_text(text)
    with pytest.raises(InputError, match=r"device.json: is not what `paring channels measure`"):
        Latency.load(file)
    with pytest.raises(InputError, match="none.json: cannot be read"):
        Latency.load(tmp_path / "none.json")
