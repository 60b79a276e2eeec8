"""The type of the fixture that runs the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import TypeAlias

Paring: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]
