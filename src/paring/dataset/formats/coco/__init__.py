"""COCO instances JSON."""

from paring.dataset.formats.coco.file import read, recognise, write, write_part

__all__ = ["read", "recognise", "write", "write_part"]
