import subprocess
import sys

import pytest

from paring.errors import InputError
from paring.models.encoder_table import ENCODERS
from paring.models.table import TABLE, entry_of, names, suggestion, task_of


def test_the_names_are_those_of_the_three_tasks_and_their_encoders() -> None:
    encoders = ("resnet50", "resnet101", "mobilenet_v2")
    instance = {f"maskrcnn_{one}_fpn" for one in (*encoders, "resnext101_32x4d")}
    instance |= {f"solov2_{one}_fpn" for one in encoders}
    decoders = ("deeplabv3", "deeplabv3plus", "pspnet", "unet", "segformer")
    semantic = {f"{decoder}_{one}" for decoder in decoders for one in encoders}
    small = ("pvt_v2_b2", "resnet50", "mobilenet_v2")
    binary = {f"{decoder}_{one}" for decoder in ("cascade", "emcad") for one in small}
    assert set(names(task="instance")) == instance
    assert set(names(task="semantic")) == semantic
    assert set(names(task="binary")) == binary
    assert set(names()) == instance | semantic | binary


def test_every_name_holds_its_architecture_and_encoder() -> None:
    for name, entry in TABLE.items():
        assert name.startswith(f"{entry.architecture}_{entry.encoder}")
        assert entry.encoder in ENCODERS
        assert task_of(name) == entry.task


def test_names_are_listed_by_wildcard_in_the_order_of_the_table() -> None:
    assert names("maskrcnn_resnet*") == ["maskrcnn_resnet50_fpn", "maskrcnn_resnet101_fpn"]
    assert names("nothing*") == []


def test_an_unknown_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="'panoptic' is not known; it is one of instance, sem"):
        names(task="panoptic")


def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"did you mean maskrcnn_resnet50_fpn\?"):
        entry_of("maskrcnn_resnet50")


def test_a_name_near_to_none_is_answered_with_all() -> None:
    assert suggestion("zzz", ["a_b", "c_d"]) == "there are a_b, c_d"


def test_names_of_models_need_no_torch() -> None:
    words = "import sys; import paring.models as m; m.names(); m.task_of('unet_resnet50'); "
    words += "sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", words], check=False).returncode == 0
