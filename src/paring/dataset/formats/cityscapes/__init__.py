"""Cityscapes folders."""

from paring.dataset.formats.cityscapes.folder import read, recognise, write, write_part

__all__ = ["read", "recognise", "write", "write_part"]
