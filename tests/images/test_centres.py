import numpy as np
import pytest

import paring
from paring.errors import InputError
from paring.images.centres import keep_centres


def test_the_chosen_images_are_kept_in_the_order_of_the_data_set() -> None:
    data = paring.scenes(6, seed=0)
    features = np.array([[0.0], [0.1], [0.2], [5.0], [5.1], [9.0]])
    subset = keep_centres(features, data, rate=0.5, parameters={"encoder": "resnet50"})
    ids = data.images["image_id"]
    assert subset.kept == ids[[0, 3, 5]].to_list()
    assert subset.dropped == ids[[1, 2, 4]].to_list()
    assert (subset.method, subset.dataset) == ("k-centre", data.fingerprint)
    assert subset.parameters == {"encoder": "resnet50", "radius": 0.2}
    assert len(subset.apply(data)) == 3


def test_features_of_another_number_of_images_are_refused() -> None:
    with pytest.raises(InputError, match="there are 2 features for 6 images"):
        keep_centres(np.zeros((2, 3)), paring.scenes(6, seed=0), rate=0.5)
