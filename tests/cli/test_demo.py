import json
from pathlib import Path

import paring
from commands import Paring


def test_the_demo_draws_prunes_and_shows_what_it_cost(paring_here: Paring, tmp_path: Path) -> None:
    done = paring_here("demo", "-o", "demo", "--images", 30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("30 images, 15 removed; ")
    whole = paring.read(tmp_path / "demo" / "scenes.json")
    assert len(whole) == 30
    assert whole.read_image(1).shape == (240, 320, 3)
    assert len(paring.read(tmp_path / "demo" / "annotations.json")) == 15
    about = json.loads((tmp_path / "demo" / "run.json").read_text())
    assert about["dataset"]["path"] == "demo/scenes.json"
    chance = int(done.stderr.split("would have kept ")[1].split()[0].replace(",", ""))
    assert 0 < chance < whole.summary().instances


def test_the_demo_is_decided_by_its_seed_speaks_json_and_is_replaced_when_allowed(
    paring_here: Paring, tmp_path: Path
) -> None:
    command = ["demo", "-o", "demo", "--images", 4]
    assert paring_here(*command).returncode == 0
    done = paring_here(*command, "--seed", 1, "--overwrite", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["kept"] == 2
    drawn = paring.read(tmp_path / "demo" / "scenes.json")
    assert drawn.masks == paring.scenes(4, seed=1).masks
