from pathlib import Path

import numpy as np
import pytest

import paring
from paring.errors import InputError
from paring.experiment.methods import METHODS, Material, refuse_options


def test_a_method_scores_or_chooses_or_spreads_but_never_two_of_them() -> None:
    for name, method in METHODS.items():
        ways = [method.score is not None, method.choose is not None, method.strata]
        assert sum(ways) == (name not in ("full", "random")), name
        assert method.words
        if method.trains:
            assert method.seeded, name


def test_options_are_those_of_the_method_and_the_nearest_is_named() -> None:
    refuse_options("ccs", {"by": "aum", "cutoff": 0.1}, "here")
    with pytest.raises(InputError, match=r"here: scores\.ccs\.cutof is no option.*mean cutoff"):
        refuse_options("ccs", {"cutof": 0.1}, "here")
    with pytest.raises(InputError, match="here: method 'forgeting' is not known.*mean forgetting"):
        refuse_options("forgeting", {}, "here")


def test_every_option_is_a_keyword_of_what_it_is_given_to() -> None:
    import inspect

    from paring.images import centres, consistency, dynamics, selection, shape
    from paring.images.network.cut import keep_representatives
    from paring.images.similarity.opening import Comparing

    takes = {
        "similarity-ssim": (keep_representatives, Comparing),
        "similarity-pcc": (keep_representatives, Comparing),
        **dict.fromkeys(("shape", "shape-si", "shape-cb", "shape-si-cb"), (shape.shape_scores,)),
        **dict.fromkeys(("count", "count-balanced"), (shape.count_scores,)),
        "entropy": (dynamics.entropy_scores,),
        "el2n": (dynamics.el2n_scores,),
        "aum": (dynamics.aum_scores,),
        "forgetting": (dynamics.forgetting_scores,),
        "ccs": (selection.keep_stratified, lambda by: by),
    }
    assert centres.METHOD in METHODS
    assert consistency.__doc__
    for name, functions in takes.items():
        known = {p for function in functions for p in inspect.signature(function).parameters}
        assert set(METHODS[name].options) <= known, name


def test_options_of_passes_and_features_are_their_keywords() -> None:
    pytest.importorskip("torch")
    import inspect

    from paring.images import consistency
    from paring.training import passes

    for name, functions in {
        "mc-dropout": (passes.dropout_passes, consistency.dropout_scores),
        "consistency": (passes.augmented_passes, consistency.consistency_scores),
        "k-centre": (passes.image_features,),
    }.items():
        known = {p for function in functions for p in inspect.signature(function).parameters}
        assert set(METHODS[name].options) <= known, name


def test_k_centre_keeps_the_images_whose_features_lie_apart(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from paring.images.centres import keep_centres
    from paring.models import build_encoder
    from paring.training.passes import image_features

    data = paring.scenes(6, seed=0, size=(48, 64), folder=tmp_path / "images")
    torch.manual_seed(0)
    weights = tmp_path / "encoder.safetensors"
    save_file(build_encoder("mobilenet_v2").net.state_dict(), weights)
    options = {"encoder": "mobilenet_v2", "weights": str(weights), "size": 32}
    material = Material(data, 0, None, 1, options)
    subset = METHODS["k-centre"].choose(material, 0.5)
    features = image_features(data, "mobilenet_v2", weights=str(weights), size=32)
    assert np.isfinite(features).all()
    assert subset.kept == keep_centres(features, data, rate=0.5).kept
    assert len(subset.kept) == 3
    assert subset.parameters["encoder"] == "mobilenet_v2"
