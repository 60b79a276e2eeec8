"""Generated scenes with known redundancy, for the demo and the tests."""

from paring.dataset.scenes.making import scenes

__all__ = ["scenes"]
