"""YOLO segmentation folders."""

from paring.dataset.formats.yolo.folder import read, recognise, write, write_part

__all__ = ["read", "recognise", "write", "write_part"]
