from pathlib import Path

import pytest

from paring.errors import InputError
from paring.experiment.cells import Place
from paring.experiment.methods import METHODS
from paring.experiment.plan import first_difference, load_plan
from paring.training.recipe import load_recipe

TEXT = """
train:
  recipe: small-polyp
  data: {train: scenes.json, val: scenes.json}
rates: [0.5]
seeds: [3, 1]
methods: [shape, full]
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "compare.yaml"
    path.write_text(TEXT)
    return path


def changed(recipe: Path, text: str, new: str) -> Path:
    whole = recipe.read_text()
    assert text in whole
    recipe.write_text(whole.replace(text, new))
    return recipe


def test_the_full_data_comes_first_and_chance_is_always_there(recipe: Path) -> None:
    plan = load_plan(recipe)
    assert plan.places() == [
        Place("full", 0.0, 3, "epochs"),
        Place("full", 0.0, 1, "epochs"),
        Place("random", 0.5, 3, "epochs"),
        Place("random", 0.5, 1, "epochs"),
        Place("shape", 0.5, 3, "epochs"),
        Place("shape", 0.5, 1, "epochs"),
    ]


def test_both_budgets_make_two_cells_of_each_cut_and_share_the_full_data(recipe: Path) -> None:
    places = load_plan(recipe, ["budget=both"]).places()
    assert len(set(places)) == len(places) == 2 + 2 * 2 * 2
    assert [place.budget for place in places[2:]] == ["epochs"] * 4 + ["steps"] * 4
    assert {p.budget for p in load_plan(recipe, ["budget=steps"]).places()[2:]} == {"steps"}


def test_a_rate_is_done_under_both_budgets_before_the_next(recipe: Path) -> None:
    places = load_plan(recipe, ["budget=both", "rates=[0.6, 0.3]"]).places()[2:]
    order = list(dict.fromkeys((place.rate, place.budget) for place in places))
    assert order == [(0.6, "epochs"), (0.6, "steps"), (0.3, "epochs"), (0.3, "steps")]


def test_every_method_has_a_plan(recipe: Path) -> None:
    names = ", ".join(METHODS)
    plan = load_plan(recipe, [f"methods=[{names}]", "train.weights=hub"])
    assert {place.method for place in plan.places()} == set(METHODS)
    trained = {name for name in METHODS if plan.trains(name)}
    assert trained == {
        *("entropy", "el2n", "aum", "forgetting", "ccs", "mc-dropout", "consistency"),
    }
    assert plan.needs_record


def test_evenly_over_a_score_of_the_data_alone_needs_no_training(recipe: Path) -> None:
    plan = load_plan(recipe, ["methods=[ccs]", "scores.ccs.by=shape-si-cb"])
    assert not plan.trains("ccs")
    assert not plan.needs_record
    assert load_plan(recipe, ["methods=[ccs]"]).needs_record


def test_the_encoder_of_k_centre_is_that_of_the_model_unless_another_is_named(recipe: Path) -> None:
    plan = load_plan(recipe, ["methods=[k-centre]", "train.weights=hub"])
    assert plan.scores["k-centre"]["encoder"] == "mobilenet_v2"
    assert plan.scores["k-centre"]["weights"] == "hub"
    own = ["scores.k-centre.encoder=resnet50", "scores.k-centre.weights=w.safetensors"]
    other = load_plan(recipe, ["methods=[k-centre]", *own]).scores["k-centre"]
    assert other["encoder"] == "resnet50"
    assert Path(other["weights"]) == Path.cwd() / "w.safetensors"
    with pytest.raises(InputError, match="k-centre compares images by a trained encoder"):
        load_plan(recipe, ["methods=[k-centre]"])


def test_train_is_a_name_a_path_or_a_section(recipe: Path, tmp_path: Path) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    own = load_plan(recipe).train
    (folder / "own.yaml").write_text(own.to_yaml())
    (folder / "compare.yaml").write_text(
        "train: own.yaml\nrates: [0.5]\nseeds: [3, 1]\nmethods: [shape, full]\n"
    )
    assert load_plan(folder / "compare.yaml") == load_plan(recipe)
    built_in = load_recipe("small-polyp")
    assert (own.model, own.trainer) == (built_in.model, built_in.trainer)
    assert own.data.train.path == str(tmp_path / "scenes.json")
    overrides = ["train=small-polyp", "train.data.train=x", "test=y"]
    named = load_plan(recipe, overrides)
    assert named.train.data.train.path == str(Path.cwd() / "x")
    assert named.test.path == str(Path.cwd() / "y")


def test_overrides_change_values_of_both_recipes_and_nothing_else(recipe: Path) -> None:
    before = load_plan(recipe)
    plan = load_plan(recipe, ["train.trainer.epochs=2", "rates=[0.25]", "metrics=[AP]"])
    assert plan.train.trainer.epochs == 2
    assert plan.rates == (0.25,)
    assert plan.seeds == before.seeds
    assert plan.train.optimiser == before.train.optimiser


def test_a_resolved_plan_is_read_back_as_the_same_from_anywhere(
    recipe: Path, tmp_path: Path
) -> None:
    plan = load_plan(recipe, ["budget=both", "test=here", "scores.ccs.cutoff=0.2"])
    (tmp_path / "deep").mkdir()
    copy = tmp_path / "deep" / "recipe.yaml"
    copy.write_text(plan.to_yaml())
    assert load_plan(copy) == plan
    assert first_difference(plan, load_plan(copy)) is None


def test_the_first_key_that_differs_is_named_with_both_values(recipe: Path) -> None:
    plan = load_plan(recipe)
    for override, words in (
        ("rates=[0.4]", "rates is [0.4] and was [0.5]"),
        ("train.trainer.epochs=3", "train.trainer.epochs is 3 and was 8"),
        ("scores.ccs.cutoff=0.2", "scores.ccs.cutoff is 0.2 and was not there"),
    ):
        assert first_difference(load_plan(recipe, [override]), plan) == words
    assert first_difference(load_plan(recipe, ["metrics=[other]"]), plan) is None


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("rate=[0.5]", "rate is no key of a comparison; did you mean rates"),
        ("train.trainer.epoch=1", "epoch.*did you mean trainer.epochs"),
        ("rates=[1.0]", r"rates\[0\] must be a number of less than 1, not 1.0"),
        ("rates=[0]", "must be a number of more than 0"),
        ("rates=[]", "rates is empty"),
        ("rates=[0.5, 0.5]", "rates names one twice"),
        ("seeds=[1, 1]", "seeds names one twice"),
        ("seeds=[-1]", "at least 0"),
        ("budget=time", "budget must be one of epochs, steps, both, not 'time'"),
        ("methods=[shapes]", "method 'shapes' is not known; did you mean shape"),
        ("methods=[zzz]", "method 'zzz' is not known; there are full, random"),
        ("metrics=[]", "metrics is empty"),
        ("scores.shape.contours=polygon", "scores.shape.contours is no option of it; .* contour"),
        ("scores.random.seed=1", "scores.random.seed is no option of it; it has none"),
        ("scores.ccs.by=random", "scores.ccs.by must be one of .*, not 'random'"),
        ("scores.ccs.by=ccs", "scores.ccs.by must be one of .*, not 'ccs'"),
        ("train.data.holdout=0.1", "holdout"),
        ("train.data.subset=x.json", "data.subset is given"),
        ("train.data.val=null", "test is not given"),
        ("train.data.train=null", "data.train is not given"),
        ("train=null", "train is missing"),
        ("train=[1]", "train must be a name, a path or a section"),
        ("train=small-polypp", "no such recipe file"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    recipe: Path, override: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_plan(recipe, [override])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("rates", "rate", "rate is no key of a comparison; did you mean rates"),
        ("recipe: small-polyp", "recip: small-polyp", "train.recip is no key"),
        ("[0.5]", "[0.5", "is not YAML"),
        ("rates:", "seeds:", "'seeds' occurs twice"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_its_name(
    recipe: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(InputError, match=message) as refused:
        load_plan(changed(recipe, old, new))
    assert "compare.yaml" in str(refused.value)


def test_a_file_that_is_not_there_or_no_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_plan(tmp_path / "none.yaml")
    (tmp_path / "list.yaml").write_text("- train\n")
    with pytest.raises(InputError, match="is no comparison"):
        load_plan(tmp_path / "list.yaml")
