"""YAML as recipes use it: numbers are numbers, no key occurs twice, a text is what it looks like.

PyYAML follows YAML 1.1, in which ``1e-4`` is a text, ``no`` is false, ``1:30`` is ninety and
``010`` is eight. Here a word is null, true or false, a number is a decimal number, and all else is
a text. Aliases are refused, so that what is read is never larger than its file.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from paring.errors import InputError

_SCALARS = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        list("-+.0123456789"),
    ),
)


class _Reader(yaml.SafeLoader):  # type: ignore[misc]
    """PyYAML's safe loader with the words above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, "aliases (*name) are not taken", mark)
        return super().compose_node(parent, index)

    def read_mapping(self, node: yaml.MappingNode) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, "a key is a list or a section", key_node.start_mark
                )
            if key in found:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} occurs twice", key_node.start_mark
                )
            found[key] = self.construct_object(value_node, deep=True)
        return found

    def read_whole(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > 100:
            raise yaml.constructor.ConstructorError(
                None, None, "a number has more than 100 digits", node.start_mark
            )
        return int(node.value)

    def read_number(self, node: yaml.ScalarNode) -> float:
        return float(node.value)


class _Writer(yaml.SafeDumper):  # type: ignore[misc]
    """The same for writing, so that a text that looks like a number is quoted."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own way

    def ignore_aliases(self, _: Any) -> bool:
        return True

    def write_text(self, text: str) -> yaml.ScalarNode:
        # these end a line in YAML, and PyYAML writes them as they are unless told to quote
        style = '"' if any(mark in text for mark in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style=style)


for _tag, _pattern, _first in _SCALARS:
    for _kind in (_Reader, _Writer):
        _kind.add_implicit_resolver(
            f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first
        )
_Writer.add_representer(str, _Writer.write_text)
_Reader.add_constructor("tag:yaml.org,2002:map", _Reader.read_mapping)
_Reader.add_constructor("tag:yaml.org,2002:int", _Reader.read_whole)
_Reader.add_constructor("tag:yaml.org,2002:float", _Reader.read_number)


def parse_yaml(text: str, where: str) -> Any:
    r"""What a YAML text says, in dicts, lists, texts, numbers, truths and None.

    Raises `InputError` that begins with `where` and names the line that cannot be read.

    >>> parse_yaml("lr: 1e-4\nflip: no\nsize: [2, 3]", "here")
    {'lr': 0.0001, 'flip': 'no', 'size': [2, 3]}
    """
    try:
        return yaml.load(text, _Reader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark is not None else ""
        raise InputError(
            f"{where}{line}: is not YAML ({error.problem or error.context})"
        ) from error
    except yaml.YAMLError as error:
        raise InputError(f"{where}: is not YAML ({' '.join(str(error).split())})") from error
    except RecursionError as error:
        raise InputError(f"{where}: is nested too deeply to be read") from error


def write_yaml(value: Any) -> str:
    """A value as YAML that `parse_yaml` reads back as the same; keys keep their order.

    >>> print(write_yaml({"name": "1e-4", "lr": 1e-4, "size": [2, 3]}), end="")
    name: '1e-4'
    lr: 0.0001
    size: [2, 3]
    """
    text: str = yaml.dump(
        value, Dumper=_Writer, sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return text
