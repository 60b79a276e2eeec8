"""What needs more than the light core: the libraries for training."""

from __future__ import annotations

from importlib.util import find_spec

from paring.errors import InputError

LIBRARIES = ("torch", "torchvision", "lightning", "timm", "segmentation-models-pytorch")
"""Those whose versions a run of theirs remembers."""


def need_torch(purpose: str) -> None:
    """Raise `InputError` saying what to install where torch is not."""
    missing = [name for name in ("torch", "lightning") if find_spec(name) is None]
    if missing:
        raise InputError(
            f"{purpose} needs {' and '.join(missing)}; install the extra: "
            "pip install 'paring[torch]'"
        )
