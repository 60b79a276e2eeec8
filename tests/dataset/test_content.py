import os
from pathlib import Path

import pytest

from paring.dataset import content
from paring.dataset.content import Unreadable, read_content


def phrase(path: Path) -> str:
    """What is wrong with a file."""
    with pytest.raises(Unreadable) as caught:
        read_content(path)
    assert str(caught.value) == caught.value.message
    return caught.value.message


def test_a_file_is_read_whole(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(range(256)))
    assert read_content(tmp_path / "x") == bytes(range(256))


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert phrase(tmp_path / "folder") == "is a folder"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert phrase(tmp_path / "pipe") == "is not a file"
    assert phrase(tmp_path / "lost") == "does not exist"


def test_a_name_that_the_system_refuses_is_told(tmp_path: Path) -> None:
    assert phrase(tmp_path / "x\0") == "cannot be read (embedded null byte)"
    assert phrase(tmp_path / ("long" * 100)) == "cannot be read (File name too long)"


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert phrase(tmp_path / "x") == "cannot be read (Permission denied)"


def test_a_file_of_no_bytes_or_of_too_many_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "LARGEST_FILE", 1234)
    for size, said in ((0, "is empty (0 bytes)"), (1235, "is 1,235 bytes large, more than")):
        (tmp_path / "x").write_bytes(bytes(size))
        assert phrase(tmp_path / "x").startswith(said)
    (tmp_path / "x").write_bytes(bytes(1234))
    assert len(read_content(tmp_path / "x")) == 1234
