from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from paring.dataset.pixels import read_pixels
from paring.errors import InputError
from videos import number_of, video


@pytest.mark.parametrize("suffix", [".png", ".tga", ".dib", ".pcx", ".ppm", ".gif"])
def test_pixels_are_the_same_whichever_decoder_reads_them(tmp_path: Path, suffix: str) -> None:
    colours = np.zeros((6, 8, 3), np.uint8)
    colours[:3, :, 0] = colours[:, 4:, 1] = 255
    Image.fromarray(colours).save(tmp_path / f"x{suffix}")
    assert np.array_equal(read_pixels(tmp_path / f"x{suffix}"), colours)


def test_a_frame_is_read_by_its_name(tmp_path: Path) -> None:
    video(tmp_path / "x.avi", 6)
    assert number_of(read_pixels(tmp_path / "x.avi#000004")) == 4
    with pytest.raises(InputError, match=r"x\.avi: the video has no frame 6; it ends after 6"):
        read_pixels(tmp_path / "x.avi#000006")


def test_what_cannot_be_read_is_named_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.png").write_bytes(b"text")
    with pytest.raises(InputError, match=r"x\.png: the image cannot be decoded"):
        read_pixels(tmp_path / "x.png")
    with pytest.raises(InputError, match=r"y\.png: the image does not exist"):
        read_pixels(tmp_path / "y.png")
    assert capfd.readouterr() == ("", "")
