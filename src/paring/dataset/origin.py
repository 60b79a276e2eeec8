"""What a file said beyond our columns, kept as bytes so that it can be written as it came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from paring.dataset import ragged
from paring.dataset.ragged import Offsets


@dataclass(frozen=True, eq=False)
class Records:
    """The text of each record of a file, in one buffer with offsets.

    >>> records = Records.of([b"one", b"three"])
    >>> len(records), records[1], list(records.take(np.array([1, 0])))
    (2, b'three', [b'three', b'one'])
    """

    text: bytes
    offsets: Offsets

    @classmethod
    def of(cls, records: Sequence[Any]) -> Records:
        """From bytes-like records."""
        text = b"".join(records)
        return cls(text, ragged.offsets_of(ragged.byte_lengths(records)))

    @classmethod
    def concat(cls, chunks: Iterable[Records]) -> Records:
        """All records of all chunks, in turn."""
        chunks = list(chunks)
        lengths = [np.diff(c.offsets) for c in chunks] or [np.empty(0, np.int64)]
        return cls(b"".join(c.text for c in chunks), ragged.offsets_of(np.concatenate(lengths)))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: int) -> bytes:
        return self.text[self.offsets[row] : self.offsets[row + 1]]

    def __iter__(self) -> Iterator[bytes]:
        return (self.text[a:b] for a, b in pairwise(self.offsets.tolist()))

    def with_fields(self, fields: dict[str, list[Any]]) -> Records:
        """The same JSON objects, each with the given fields set to its value, all else as it came.

        >>> list(Records.of([b'{"id":1,"x":[ 2.50 ]}']).with_fields({"id": [7]}))
        [b'{"id":7,"x":[ 2.50 ]}']
        """
        written = []
        for text, *values in zip(self, *fields.values(), strict=True):
            record: dict[str, Any] = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
            record |= zip(fields, values, strict=True)
            written.append(msgspec.json.encode(record))
        return Records.of(written)

    def take(self, rows: NDArray[np.int64]) -> Records:
        """The records of the given rows, in that order."""
        first, stop = self.offsets[rows].tolist(), self.offsets[rows + 1].tolist()
        text = memoryview(self.text)
        joined = b"".join([text[a:b] for a, b in zip(first, stop, strict=True)])
        return Records(joined, ragged.offsets_of(np.diff(self.offsets)[rows]))


@dataclass(frozen=True, eq=False)
class Origin:
    """Where a data set was read from, with its records as they came.

    Attributes
    ----------
    format : name of the format it was read as.
    path : the file or folder that was read.
    images, instances, categories : the records of the rows of the frames, where the format has
        records that hold more than our columns.
    header : what stands beside the records (COCO: every other top-level key), as written.
    frames : the very objects that the records describe; a data set with other frames than these
        does not keep the origin, because the records would then say something else.
    """

    format: str
    path: Path
    images: Records | None = None
    instances: Records | None = None
    categories: Records | None = None
    header: dict[str, bytes] = field(default_factory=dict)
    frames: tuple[object, ...] = ()

    def bind(self, *frames: object) -> Origin:
        """The same origin, describing these frames."""
        return replace(self, frames=frames)

    def describes(self, *frames: object) -> bool:
        """Whether these are the very frames that the records describe."""
        return len(frames) == len(self.frames) and all(
            mine is theirs for mine, theirs in zip(self.frames, frames, strict=True)
        )

    def take(self, images: NDArray[np.int64], instances: NDArray[np.int64]) -> Origin:
        """The origin of a part of the rows; categories and header stay whole."""
        return replace(
            self,
            images=None if self.images is None else self.images.take(images),
            instances=None if self.instances is None else self.instances.take(instances),
            frames=(),
        )
