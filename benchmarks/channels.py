"""How fast channels are weighed and chosen, what tracking costs, and what pruning brings.

    python benchmarks/channels.py [--only clique redundancy tracking latency quality]

Everything runs on one thread, unless a row says otherwise.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torchvision

from machine import machine, save, seconds
from paring.channels import (
    exact_clique,
    find_structure,
    greedy_clique,
    local_search_clique,
    make_plan,
    pairwise_redundancy,
    track,
)
from paring.channels.measuring import latency_of
from paring.models import build

REPEATS = 5


def repeated(work: Callable[[], Any], times: int = REPEATS) -> dict[str, float]:
    """Median and range between the quartiles of some runs, after one to warm up."""
    work()
    took = [seconds(work) for _ in range(times)]
    low, _, high = statistics.quantiles(took, n=4)
    return {"median": statistics.median(took), "spread": high - low}


# -- the clique ----------------------------------------------------------------------------------


def naive_order(weights: np.ndarray) -> list[int]:
    """Algorithm 1 with the sums over those left computed anew at each step."""
    left = list(range(len(weights)))
    order = []
    while left:
        sums = weights[np.ix_(left, left)].sum(1)
        order.append(left.pop(int(sums.argmin())))
    return order


def clique() -> tuple[dict[str, Any], list[str]]:
    """All layers of DeepLabV3 on ResNet-50, whose eliminations took the paper's machine 285 s."""
    model = torchvision.models.segmentation.deeplabv3_resnet50(
        weights=None, weights_backbone=None, aux_loss=False
    )
    sizes = [g.size for g in find_structure(model, torch.zeros(1, 3, 64, 64)).groups]
    rng = np.random.default_rng(0)
    matrices = []
    for n in sizes:
        # redundancy of real maps is smooth: of channels that share some directions
        basis = rng.random((n, 8))
        w = 1 - 0.69 * np.exp(-((basis[:, None] - basis) ** 2).sum(-1))
        np.fill_diagonal(w, 0)
        matrices.append((w + w.T) / 2)
    ours = repeated(lambda: [greedy_clique(w) for w in matrices])
    theirs = repeated(lambda: [naive_order(w) for w in matrices], 3)
    same = all(greedy_clique(w).order.tolist() == naive_order(w) for w in matrices)
    found = {
        "groups": len(sizes),
        "largest": max(sizes),
        "ours_s": ours,
        "naive_s": theirs,
        "ratio": theirs["median"] / ours["median"],
        "same_order": same,
        "paper_s": 285,
    }
    return found, [
        f"| order of elimination, {len(sizes)} groups to {max(sizes)} units | "
        f"{ours['median']:.2f} s ± {ours['spread']:.2f} | sums anew: {theirs['median']:.1f} s | "
        f"{found['ratio']:.0f}x, {'the same order' if same else 'ANOTHER ORDER'} |"
    ]


# -- redundancy ----------------------------------------------------------------------------------


def maps(channels: int = 256, side: int = 64) -> torch.Tensor:
    """Smooth maps, of both signs (1, C, side, side)."""
    torch.manual_seed(0)
    coarse = torch.randn(1, channels, side // 4, side // 4)
    return torch.nn.functional.interpolate(coarse, size=(side, side), mode="bicubic")


def broadcast(features: torch.Tensor) -> torch.Tensor:
    """Eq. 3 as it stands, all pairs at once."""
    p = features[0].flatten(1).abs()
    p = p / p.sum(1, keepdim=True)
    a, b = p[:, None], p[None]
    m = (a + b) / 2
    divergence = (torch.xlogy(a, a / m) + torch.xlogy(b, b / m)).sum(-1) / 2
    return float(np.log(2)) - divergence


def in_torch(features: torch.Tensor) -> torch.Tensor:
    """Ours where no compiled kernel is: what a GPU takes."""
    from paring.channels import redundancy

    density, _ = redundancy._densities(features[0].flatten(1), "l1")
    sums = redundancy.entropy_sums_torch(density)
    own = sums.diagonal().clone()
    return redundancy.LN2 - (redundancy.LN2 - (sums - own[:, None] - own) / (2 * density.shape[1]))


WAYS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "compiled": pairwise_redundancy,
    "torch": in_torch,
    "broadcast": broadcast,
    "hellinger": lambda f: pairwise_redundancy(f, metric="hellinger"),
}


def memory_of(way: str) -> float:
    """Bytes that a way takes beyond its input, by the largest size of a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--memory", way], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def show_memory(way: str) -> None:
    """Print what `memory_of` wants."""
    features = maps()
    WAYS[way](features[:, :8])  # what is loaded and compiled is not counted
    before = largest_size()
    WAYS[way](features)
    print(largest_size() - before)


def largest_size() -> float:
    """Largest resident size of this process in bytes; Linux gives it."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * float(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def redundancy() -> tuple[dict[str, Any], list[str]]:
    """C = 256 maps of 64 x 64 pixels."""
    features = maps()
    truth = broadcast(features.double()[:, :256])
    found: dict[str, Any] = {}
    lines = []
    for name, way in WAYS.items():
        times = repeated(lambda way=way: way(features), 3 if name == "broadcast" else REPEATS)  # type: ignore[misc]
        error = (way(features).double() - truth).fill_diagonal_(0).abs().max()
        found[name] = {"s": times, "error": float(error), "bytes": memory_of(name)}
    for name, one in found.items():
        one["ratio"] = found["broadcast"]["s"]["median"] / one["s"]["median"]
        lines.append(
            f"| redundancy of 256 maps, {name} | {one['s']['median']:.4f} s ± "
            f"{one['s']['spread']:.4f} | error {one['error']:.1e}, "
            f"{one['bytes'] / 2**20:.0f} MiB | {one['ratio']:.1f}x of broadcast |"
        )
    return found, lines


# -- tracking ------------------------------------------------------------------------------------


def tracking() -> tuple[dict[str, Any], list[str]]:
    """A training step of DeepLabV3+ on MobileNetV2, four images of 192 x 256 pixels."""
    model = build("deeplabv3plus_mobilenet_v2", [f"c{k}" for k in range(11)], seed=0).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=1e-3)
    images, target = torch.rand(4, 3, 192, 256), torch.randint(11, (4, 192, 256))
    structure = find_structure(model, images[:1])
    model.train()

    def step() -> None:
        loss = sum(torch.nn.functional.cross_entropy(s, target) for s in model.stages(images))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimiser.step()

    def ten() -> None:
        for _ in range(10):
            step()

    def twice(work: Callable[[], None]) -> dict[str, float]:
        step()
        took = sorted(seconds(work) for _ in range(2))
        return {"median": statistics.median(took), "spread": took[1] - took[0]}

    found: dict[str, Any] = {"none": twice(ten)}
    for name, more in (
        ("every step", {}),
        ("every 10th step", {"every": 10}),
        ("every step, hellinger", {"metric": "hellinger"}),
        ("every step, quarter", {"resolution": "quarter"}),
    ):
        with track(model, structure, **more):  # type: ignore[arg-type]
            found[name] = twice(ten)
    lines = []
    for name, times in found.items():
        more_time = times["median"] / found["none"]["median"] - 1
        lines.append(
            f"| ten training steps, tracking: {name} | {times['median']:.2f} s ± "
            f"{times['spread']:.2f} | | {more_time:+.0%} |"
        )
    return found, lines


# -- latency -------------------------------------------------------------------------------------


def latency() -> tuple[dict[str, Any], list[str]]:
    """ONNX Runtime on one thread, at 256 x 256 pixels, by what is cut."""
    found: dict[str, Any] = {}
    lines = []
    for name in ("deeplabv3plus_mobilenet_v2", "pspnet_mobilenet_v2", "unet_mobilenet_v2",
                 "deeplabv3plus_resnet50", "unet_resnet50", "segformer_mobilenet_v2"):  # fmt: skip
        model = build(name, [f"c{k}" for k in range(11)], seed=0).eval()
        x, size = torch.zeros(1, 3, 256, 256), (256, 256)
        structure = find_structure(model, x)
        whole = latency_of(model, size=size, repeats=10)
        for keep in (0.5, 0.25):
            for multiple in (1, 8):
                plan = make_plan(
                    model, x, criterion="random", score="count", keep_macs=keep,
                    multiple=multiple, structure=structure,
                )  # fmt: skip
                small = latency_of(plan.apply(model), size=size, repeats=10)
                macs = plan.about["macs_before"] / plan.about["macs"]
                faster = whole["ms"] / small["ms"]
                found[f"{name} {keep} {multiple}"] = {
                    "ms_before": whole["ms"],
                    "ms": small["ms"],
                    "macs_ratio": macs,
                    "ms_ratio": faster,
                }
                lines.append(
                    f"| {name}, multiples of {multiple} | {small['ms']:.1f} ms ± "
                    f"{small['ms_spread']:.1f} | whole: {whole['ms']:.1f} ms | {macs:.2f}x fewer "
                    f"MACs, {faster:.2f}x faster |"
                )
    return found, lines


# -- the quality of cliques ----------------------------------------------------------------------


def quality() -> tuple[dict[str, Any], list[str]]:
    """Greedy and local search against the exact clique, on redundancies of smooth maps."""
    found: dict[str, Any] = {}
    lines = []
    for n in (16, 24, 32, 40):
        gaps: dict[str, list[float]] = {"greedy": [], "local": []}
        times: dict[str, list[float]] = {"greedy": [], "local": [], "exact": []}
        proven = 0
        for seed in range(5):
            torch.manual_seed(seed)
            coarse = torch.randn(2, n, 4, 4)
            features = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bicubic")
            w = 1 - pairwise_redundancy(features).double().numpy()
            np.fill_diagonal(w, 0)
            made: dict[str, Any] = {}
            ways: dict[str, Callable[..., Any]] = {
                "greedy": greedy_clique,
                "local": local_search_clique,
                "exact": partial(exact_clique, time_limit=20),
            }
            for name, way in ways.items():
                began = time.perf_counter()
                made[name] = way(w, n // 2)
                times[name].append(time.perf_counter() - began)
            proven += made["exact"].proven
            best = max(one.weight for one in made.values())
            for name in gaps:
                gaps[name].append(1 - made[name].weight / best)
        found[str(n)] = {"gap": gaps, "seconds": times, "proven": proven}
        lines.append(
            f"| cliques of {n // 2} of {n} | greedy {max(gaps['greedy']):.2%}, local search "
            f"{max(gaps['local']):.2%} below the best, at worst of 5 | exact proven {proven} of 5 "
            f"times in {statistics.median(times['exact']):.1f} s | greedy "
            f"{1e3 * statistics.median(times['greedy']):.2f} ms, local search "
            f"{1e3 * statistics.median(times['local']):.1f} ms |"
        )
    return found, lines


PARTS = {
    "clique": clique,
    "redundancy": redundancy,
    "tracking": tracking,
    "latency": latency,
    "quality": quality,
}


def main() -> None:
    """Measure, print, and keep the results of all parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--memory", choices=WAYS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.memory:
        show_memory(given.memory)
        return
    found, lines = {}, ["| what | measured | beside | |", "| --- | --- | --- | --- |"]
    for name in given.only:
        found[name], more = PARTS[name]()
        lines += more
        print("\n".join(more), flush=True)
    if set(given.only) == set(PARTS):
        result = {"machine": machine("torch", "numpy", "numba", "onnxruntime", "scipy"), **found}
        save("channels", result, lines)


if __name__ == "__main__":
    main()
