"""`paring labels ...`: fewer labels, from tags or from nothing."""

from __future__ import annotations

import typer

from paring.cli.free import from_images
from paring.cli.predict import predict
from paring.cli.proposals import proposals
from paring.cli.tags import from_tags

app = typer.Typer(no_args_is_help=True, help="Fewer labels: masks from tags or from nothing.")
app.command("proposals")(proposals)
app.command("from-tags")(from_tags)
app.command("from-images")(from_images)
app.command("predict")(predict)
