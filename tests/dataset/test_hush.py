from cv2.utils import logging

from paring.dataset.hush import hushed


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
