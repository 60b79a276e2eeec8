from pathlib import Path

import pytest

from paring.dataset.formats.names import names_text, read_text
from paring.errors import InputError


def test_a_list_of_names_is_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    for start in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "labels.txt").write_bytes(start + names_text(["käse"]).encode())
        assert read_text(tmp_path / "labels.txt") == "background\nkäse\n"


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"labels\.txt: is not a text file in UTF-8"):
        read_text(tmp_path / "labels.txt")
