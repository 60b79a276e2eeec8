import pytest

from paring.errors import InputError
from paring.models.encoder_table import ENCODERS, encoder_entry


def test_every_encoder_has_four_features_of_growing_width_and_five_layers() -> None:
    for entry in ENCODERS.values():
        assert len(entry.features) == len(entry.widths) == 4
        assert sorted(entry.widths) == list(entry.widths)
        assert len(entry.layers) == 5


def test_the_widths_that_the_decoders_were_published_with_are_in_the_table() -> None:
    assert encoder_entry("pvt_v2_b2").widths == (64, 128, 320, 512)
    assert encoder_entry("resnet50").widths == (256, 512, 1024, 2048)


def test_an_unknown_encoder_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"encoder 'pvt_v2' is not known; did you mean pvt_v2_b2"):
        encoder_entry("pvt_v2")
