"""`paring labels ...`: fewer labels, from tags or from nothing."""

from __future__ import annotations

import typer

from paring.cli.proposals import proposals
from paring.cli.tags import from_tags

app = typer.Typer(no_args_is_help=True, help="Fewer labels: proposals, and masks from tags.")
app.command("proposals")(proposals)
app.command("from-tags")(from_tags)
