import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

import safetensors
from safetensors.torch import load_file, save_file

from paring.errors import InputError
from paring.models import build, load, save

pytestmark = pytest.mark.torch


def small(**options: Any) -> Any:
    return build("emcad_mobilenet_v2", ["polyp"], seed=0, **options)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.safetensors"
    save(small(output="sum", mean=[0.5, 0.4, 0.3]), path, about={"dice": 0.87})
    return path


def rewritten(path: Path, folder: Path, *, meta: Any = None, **changes: Any) -> Path:
    """The same file with other weights or other words on the model."""
    with safetensors.safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    weights = load_file(path)
    for key, tensor in changes.items():
        name = key.replace("__", ".")
        if tensor is None:
            del weights[name]
        else:
            weights[name] = tensor
    if meta is not None:
        metadata = {"paring": meta}
    save_file(weights, folder / "changed.safetensors", metadata=metadata)
    return folder / "changed.safetensors"


def words(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()["paring"])


def test_the_file_says_what_the_model_is_and_what_was_said_about_it(saved: Path) -> None:
    assert words(saved) == {
        "name": "emcad_mobilenet_v2",
        "classes": ["polyp"],
        "options": {"output": "sum"},
        "mean": [0.5, 0.4, 0.3],
        "std": [0.229, 0.224, 0.225],
        "about": {"dice": 0.87},
    }


def test_a_loaded_model_is_in_evaluation_and_normalises_as_it_was_saved(saved: Path) -> None:
    model = load(saved)
    assert not model.training
    assert torch.equal(model.mean, torch.tensor([0.5, 0.4, 0.3]))
    assert model.options == {"output": "sum"}


def test_loading_leaves_the_generator_alone(saved: Path) -> None:
    before = torch.get_rng_state()
    load(saved)
    assert torch.equal(before, torch.get_rng_state())


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    save(small(), tmp_path / "one")
    save(small(), tmp_path / "two")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]


def test_a_model_with_frozen_norm_comes_back_frozen(tmp_path: Path) -> None:
    name = "maskrcnn_mobilenet_v2_fpn"
    model = build(name, ["a"], seed=0, frozen_norm=True, trainable_layers=1)
    save(model, tmp_path / "m")
    again = load(tmp_path / "m")
    learning = [{k for k, w in m.named_parameters() if w.requires_grad} for m in (model, again)]
    assert learning[0] == learning[1]
    assert again.state_dict().keys() == model.state_dict().keys()


@pytest.mark.parametrize(
    ("content", "what"),
    [(b"", "is not a whole safetensors file"), (b"text" * 9, "is not a whole safetensors file")],
)
def test_a_file_that_is_no_model_is_refused_by_name(
    content: bytes, what: str, tmp_path: Path
) -> None:
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=rf"x\.safetensors: {what}"):
        load(tmp_path / "x.safetensors")


def test_a_file_that_is_cut_short_is_refused_by_name(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "cut").write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(InputError, match="cut: is not a whole safetensors file"):
        load(tmp_path / "cut")


def test_a_file_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none: no such file of a model"):
        load(tmp_path / "none")


def test_weights_of_others_are_refused_with_where_to_give_them(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(1)}, tmp_path / "theirs")
    with pytest.raises(InputError, match=r"was not saved by paring.*weights=PATH"):
        load(tmp_path / "theirs")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": None}, "does not fit model emcad_mobilenet_v2, it lacks weight mean;"),
        ({"extra": torch.zeros(1)}, "it has the unknown weight extra;"),
        ({"mean": torch.zeros(4)}, r"weight mean has shape \(4,\) where model .* has \(3,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(
    changes: dict[str, Any], message: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load(rewritten(saved, tmp_path, **changes))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "emcad_resnet5"}, r"changed\.safetensors: model 'emcad_resnet5' is not known"),
        ({"options": {"colour": 1}}, r"changed\.safetensors: .* no option 'colour'"),
        ({"options": {"name": "x"}}, r"changed\.safetensors: "),
        ({"classes": "polyp"}, "what it says of its model cannot be read"),
        ({"more": 1}, "what it says of its model cannot be read"),
    ],
)
def test_words_that_name_no_model_are_refused(
    change: dict[str, Any], message: str, saved: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        load(rewritten(saved, tmp_path, meta=json.dumps(words(saved) | change)))


def test_words_that_are_not_json_are_refused(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load(rewritten(saved, tmp_path, meta="{"))


def test_a_place_that_cannot_be_written_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the model cannot be written"):
        save(small(), tmp_path / "none" / "model.safetensors")


def test_what_json_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not JSON"):
        save(small(), tmp_path / "m", about={"when": object()})
    assert list(tmp_path.iterdir()) == []
