"""A run that pruned a network, as it lies on disk; made without torch."""

from __future__ import annotations

import json
from pathlib import Path


def pruned_at(folder: Path, *, tuned: bool = False, timed: bool = True) -> Path:
    """Write a run of four layers, two of which lost channels."""
    run = folder / "pruned"
    run.mkdir()
    layers = [
        ("secret.first", 32, 20, None),
        ("secret.second", 64, 64, None),
        ("secret.third", 128, 40, None),
        ("secret.head", 11, 11, "its channels are an output of the network"),
    ]
    cost = {
        "height": 64,
        "width": 96,
        "threads": 1,
        "onnx_refused": None if timed else "secret cannot be exported",
        "macs": {"before": 2_000_000, "after": 1_000_000},
        "parameters": {"before": 50_000, "after": 20_000},
        "ms": {"before": 4.0 if timed else None, "after": 3.0 if timed else None},
        "ms_spread": {"before": 0.1, "after": 0.1},
        "layers": [
            {
                "layer": name,
                "channels_before": before,
                "channels": after,
                "macs_before": 1000 * before,
                "macs": 1000 * after,
                "parameters_before": 9 * before,
                "parameters": 9 * after,
                "kept_whole": why,
            }
            for name, before, after, why in layers
        ],
    }
    plan = {"criterion": "redundancy", "score": "sum", "keep": 0.5, "apart": ["secret.encoder"]}
    facts = {
        "command": ["paring", "channels", "prune", "secret"],
        "method": "prune channels",
        "model": "SecretNet",
        "from": "secret",
        "plan": plan,
    }
    (run / "cost.json").write_text(json.dumps(cost), encoding="utf-8")
    (run / "run.json").write_text(json.dumps(facts), encoding="utf-8")
    if tuned:
        metrics = {"miou_dataset": 0.625, "iou_per_image": None}
        (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    return run
