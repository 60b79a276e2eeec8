"""Records of a COCO file: decode many at once, and name the one that does not fit."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec

from paring.dataset.reading import Reading
from paring.errors import InputError

Id = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
T = TypeVar("T")

UNREADABLE = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)
"""What decoding a record that is not what it should be can raise."""


def listed(raw: Any, what: str, reading: Reading) -> list[msgspec.Raw]:
    """The texts of the records of a JSON list."""
    try:
        return msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.ValidationError as error:
        raise InputError(f"{reading.path}: {what!r} is not a list") from error


def decoded(
    raws: list[msgspec.Raw], kind: type[T], what: str, reading: Reading, first: int = 0
) -> tuple[list[T], list[int]]:
    """The records that fit their type, and their rows; the others are refused by name."""
    whole = msgspec.json.Decoder(list[kind])  # type: ignore[valid-type]
    try:
        return whole.decode(b"[" + b",".join(raws) + b"]"), list(range(len(raws)))
    except UNREADABLE:
        pass
    one = msgspec.json.Decoder(kind)
    records, rows = [], []
    for row, raw in enumerate(raws):
        try:
            records.append(one.decode(raw))
            rows.append(row)
        except UNREADABLE as error:
            reading.refuse(f"unusable {what}", name_of(what, first + row, raw), plain(error))
    return records, rows


def name_of(what: str, row: int, raw: Any) -> str:
    """How a record is called in a message: its kind, its place and its id where it has one."""
    try:
        found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw]).get("id")
    except UNREADABLE:
        found = None
    return f"{what} {row}" + ("" if found is None else f" (id {bytes(found).decode()[:40]})")


def plain(error: Exception) -> str:
    """A decoder's message as a clause."""
    words = str(error).replace("Object missing required field", "Lacks")
    words = words[:1].lower() + words[1:]
    message, _, field = words.rpartition(" - at `$.")
    return f"`{field.rstrip('`')}`: {message}" if message else words
