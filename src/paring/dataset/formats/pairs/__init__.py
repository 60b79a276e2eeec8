"""Folders of images and masks."""

from paring.dataset.formats.pairs.folder import read, recognise, write, write_part

__all__ = ["read", "recognise", "write", "write_part"]
