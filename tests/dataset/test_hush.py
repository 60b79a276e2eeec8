import logging as logs
import warnings

import pytest
from cv2.utils import logging
from PIL import Image

from paring.dataset.hush import hushed, undisturbed


def test_opencv_is_silent_inside_and_speaks_as_before_afterwards() -> None:
    before = logging.getLogLevel()
    try:
        logging.setLogLevel(logging.LOG_LEVEL_WARNING)
        with hushed():
            with hushed():
                pass
            assert logging.getLogLevel() == logging.LOG_LEVEL_SILENT
        assert logging.getLogLevel() == logging.LOG_LEVEL_WARNING
    finally:
        logging.setLogLevel(before)


def test_pillow_is_undisturbed_inside_and_as_before_afterwards() -> None:
    log, limit = logs.getLogger("PIL"), Image.MAX_IMAGE_PIXELS
    with pytest.raises(KeyError), undisturbed():
        warnings.warn("odd", stacklevel=1)
        assert not logs.getLogger("PIL.any").isEnabledFor(logs.CRITICAL)
        assert Image.MAX_IMAGE_PIXELS is None
        raise KeyError
    assert limit == Image.MAX_IMAGE_PIXELS
    assert log.level == logs.NOTSET
    with pytest.warns(UserWarning, match="odd"):
        warnings.warn("odd", stacklevel=1)
