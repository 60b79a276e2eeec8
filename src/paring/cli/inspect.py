"""`paring inspect`: what is in a data set, and what is wrong with it."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated

import typer
from rich.text import Text

from paring.cli import console
from paring.cli.options import Source, shares
from paring.cli.run import fault_counts, read_source
from paring.dataset.reading import Fault
from paring.errors import InputError
from paring.report.words import count

_SHOWN = 5  # records named of each kind of fault that can be lived with


@shares
def inspect(
    source: Source,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show what is in a data set, and everything that is wrong with it.

    Records that cannot be used are all listed, and the exit code is 2; `paring convert --repair`
    mends what can be mended. Nothing is changed.

    Example: `paring inspect annotations/instances_val2017.json`
    """
    with console.bars() as bars:
        data, reading = read_source(source, strict=False, progress=bars)
    refused = [f for f in reading.faults if f.refused]
    odd = [f for f in reading.faults if not f.refused]
    if json:
        console.show_json(
            {
                "path": str(reading.path),
                "fingerprint": data.fingerprint,
                **data.summary().to_dict(),
                "odd": fault_counts(odd),
                "refused": [vars(f) for f in refused],
            }
        )
    else:
        console.show_summary(data.summary())
        _show_odd(odd)
        for fault in refused:
            console.out.print(
                Text.assemble(("refused ", "red"), f"{fault.record}: {fault.message}")
            )
    if refused:
        raise InputError(
            f"{reading.path}: {count(len(refused), 'record')} cannot be used; "
            "`paring convert --repair` writes a copy without them"
        )


def _show_odd(faults: list[Fault]) -> None:
    for kind, group in groupby(sorted(faults, key=lambda f: f.kind), key=lambda f: f.kind):
        records = [f.record for f in group]
        more = f" and {len(records) - _SHOWN:,} more" if len(records) > _SHOWN else ""
        console.out.print(
            Text.assemble(
                ("odd ", "yellow"),
                f"{kind}: {len(records):,} ({', '.join(records[:_SHOWN])}{more})",
            )
        )
