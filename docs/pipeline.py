"""From images without a label to a small trained network, in one script on generated scenes.

python docs/pipeline.py work [--weights PATH|hub] [--images 120] [--quick]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

import paring
from paring.channels import calibrate, make_plan
from paring.labels import labels_from_images, load_free_recipe
from paring.models import load, save
from paring.training import load_recipe, train

QUICK = (
    *("network.size=[64,96]", "network.fitting.epochs=1", "looking.size=128"),
    *("network.options.head_layers=1", "network.options.score_threshold=0.0"),
    *("network.options.kept_score=0.0", "second.score=0.0", "keep=0.0", "exemplars.count=2"),
)


def main() -> None:
    """Images to masks to a pruned set to a trained model to a pruned network."""
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=Path)
    parser.add_argument("--weights", default="null", help="of MobileNetV2: a file, or hub")
    parser.add_argument("--images", type=int, default=120)
    parser.add_argument("--quick", action="store_true", help="to see that it runs, no more")
    given = parser.parse_args()
    work: Path = given.work
    weights = f"weights={given.weights}"

    # images that nobody annotated
    paring.scenes(given.images, seed=0, size=(192, 256), folder=work / "photos")
    photos = paring.read(work / "photos")

    # things found in them, and a network that learnt to segment them
    quick = QUICK if given.quick else ()
    found = labels_from_images(
        photos, load_free_recipe("small", [weights, *quick]), work / "stages", say=print
    )
    labels = found.pseudo_labels.data
    labels.write(work / "labels.json", format="coco")
    print(f"{len(labels.instances)} pseudo-labels in {len(photos)} images")

    # the half of the images with the most intricate shapes
    scores = paring.images.shape_scores(labels)
    subset = paring.images.keep_top(scores, rate=0.5)
    subset.apply(labels).write(work / "kept.json", format="coco")
    print(f"{len(subset.kept)} images kept")

    # a network of your choice learns from them
    recipe = load_recipe(
        "small-semantic",
        [
            f"data.train.path={work / 'kept.json'}",
            f"data.train.images={work / 'photos'}",
            weights,
            *(["trainer.epochs=1", "data.size=[64,96]", "data.workers=0"] if given.quick else []),
        ],
    )
    train(recipe, work / "trained")

    # and loses half of its work
    model = load(work / "trained" / "model.safetensors")
    size = recipe.data.size
    images = [
        torch.from_numpy(photos.read_image(i)).permute(2, 0, 1)[None].float() / 255
        for i in photos.images["image_id"][:16]
    ]
    redundancy = calibrate(model, images, batches=len(images))
    example = torch.zeros(1, 3, *size)
    plan = make_plan(model, example, scores=redundancy, keep_macs=0.5)
    small = plan.apply(model)
    plan.save(work / "plan.json")
    save(small, work / "small.safetensors")  # load() builds the narrower shape
    before, after = plan.about["macs_before"] / 1e6, plan.about["macs"] / 1e6
    print(f"{before:.0f} M multiply-accumulates before, {after:.0f} M after")


if __name__ == "__main__":
    main()
